/** Finds the public exports of a package, and what their docstrings lack. */
import { dirname, join } from "node:path"
import type { ESTree } from "vite"
import { parseSync } from "vite"
import { categories } from "../../packages/api/src/categories.ts"
import { extract } from "./snippets.ts"

/** Only a value needs an example. */
export type Kind = "module" | "type" | "value"

/** A declaration that users can import, or a module with such declarations. */
export interface PublicExport {
  /** As users write it, such as `Policy.make`. */
  readonly name: string
  readonly kind: Kind
  readonly file: string
  readonly line: number
  readonly docstring: string | undefined
  /** The code of the blocks in the docstring that run. */
  readonly examples: ReadonlyArray<string>
  /** The members that are numbers and have no docstring: no type says their unit. */
  readonly bareNumbers: ReadonlyArray<string>
}

/** Reads a source by its path from the root. */
export type Read = (file: string) => string

type Statement = ESTree.Program["body"][number]

interface Range {
  readonly start: number
  readonly end: number
}

interface Source {
  readonly file: string
  readonly text: string
  readonly body: ReadonlyArray<Statement>
  readonly docstrings: ReadonlyArray<Range>
}

const parse = (file: string, read: Read): Source => {
  const text = read(file)
  const { comments, errors, program } = parseSync(file, text, { lang: "ts" })
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`)
  const docstrings = comments.filter(({ type, value }) => type === "Block" && value.startsWith("*"))
  return { file, text, body: program.body, docstrings }
}

/** The docstring that ends where a declaration begins. */
const docstringAt = ({ docstrings, text }: Source, start: number): Range | undefined =>
  docstrings.findLast(({ end }) => end <= start && text.slice(end, start).trim() === "")

/** The docstring of the file itself. */
const moduleDocstring = ({ docstrings, text }: Source): Range | undefined =>
  docstrings.find(({ end, start }) => /^ \* @module\b/m.test(text.slice(start, end)))

const toExport = (
  { file, text }: Source,
  declared: { readonly name: string; readonly kind: Kind; readonly start: number },
  docstring: Range | undefined,
  bareNumbers: ReadonlyArray<string>,
): PublicExport => {
  const docs = docstring && text.slice(docstring.start, docstring.end)
  const { name, kind, start } = declared
  return {
    name,
    kind,
    file,
    line: text.slice(0, start).split("\n").length,
    docstring: docs,
    examples: extract(file, docs ?? "").snippets.flatMap(({ code, run }) => (run ? [code] : [])),
    bareNumbers,
  }
}

/** Whether a value of the type is a number, perhaps an absent one. */
const isNumeric = (type: ESTree.TSType): boolean =>
  type.type === "TSNumberKeyword" || (type.type === "TSUnionType" && type.types.some(isNumeric))

const bareNumbersOf = (source: Source, declaration: ESTree.Declaration): ReadonlyArray<string> =>
  declaration.type !== "TSInterfaceDeclaration"
    ? []
    : declaration.body.body.flatMap((member) => {
        if (member.type !== "TSPropertySignature" || member.key.type !== "Identifier") return []
        const type = member.typeAnnotation?.typeAnnotation
        if (type === undefined || !isNumeric(type)) return []
        return docstringAt(source, member.start) === undefined ? [member.key.name] : []
      })

/** The names that a declaration gives, and whether they are values. */
const namesOf = (
  file: string,
  declaration: ESTree.Declaration,
): ReadonlyArray<{ readonly name: string; readonly kind: Kind }> => {
  switch (declaration.type) {
    case "TSInterfaceDeclaration":
    case "TSTypeAliasDeclaration":
      return [{ name: declaration.id.name, kind: "type" }]
    case "FunctionDeclaration":
    case "ClassDeclaration":
      if (declaration.id !== null) return [{ name: declaration.id.name, kind: "value" }]
      break
    case "VariableDeclaration":
      return declaration.declarations.map(({ id }) => {
        if (id.type !== "Identifier") throw new Error(`${file}: no rule for a pattern`)
        return { name: id.name, kind: "value" }
      })
  }
  throw new Error(`${file}: no rule for an export of ${declaration.type}`)
}

const nameOf = (name: ESTree.ModuleExportName): string =>
  name.type === "Literal" ? name.value : name.name

/** The exports of a module; a module that it exports under a name comes with its own exports. */
const exportsOf = (source: Source, read: Read): ReadonlyArray<PublicExport> =>
  source.body.flatMap((statement) => ofStatement(source, statement, read))

const ofStatement = (
  source: Source,
  statement: Statement,
  read: Read,
): ReadonlyArray<PublicExport> => {
  const { file } = source
  const other = ({ value }: ESTree.StringLiteral): Source => {
    if (!value.startsWith(".")) throw new Error(`${file}: no rule for an export from ${value}`)
    return parse(join(dirname(file), value), read)
  }
  switch (statement.type) {
    case "ExportDefaultDeclaration":
      throw new Error(`${file}: no rule for a default export`)
    case "ExportAllDeclaration": {
      const from = other(statement.source)
      return statement.exported === null
        ? exportsOf(from, read)
        : moduleOf(from, nameOf(statement.exported), read)
    }
    case "ExportNamedDeclaration": {
      const { declaration, source: from, specifiers, start } = statement
      if (declaration !== null) {
        const bareNumbers = bareNumbersOf(source, declaration)
        return namesOf(file, declaration).map((each) =>
          toExport(source, { ...each, start }, docstringAt(source, start), bareNumbers),
        )
      }
      if (from === null) throw new Error(`${file}: no rule for an export of a local name`)
      const all = exportsOf(other(from), read)
      return specifiers.flatMap(({ exported, local }) => {
        const found = all.filter(({ name }) => name === nameOf(local))
        if (found.length === 0) throw new Error(`${file}: no ${nameOf(local)} in ${from.value}`)
        return found.map((each) => ({ ...each, name: nameOf(exported) }))
      })
    }
    default:
      return []
  }
}

const moduleOf = (source: Source, name: string, read: Read): ReadonlyArray<PublicExport> => [
  toExport(source, { name, kind: "module", start: 0 }, moduleDocstring(source), []),
  ...exportsOf(source, read).map((each) => ({ ...each, name: `${name}.${each.name}` })),
]

/** An entry of a package and all that users can import from it. */
export const publicExports = (
  entry: string,
  file: string,
  read: Read,
): ReadonlyArray<PublicExport> => {
  const source = parse(file, read)
  const itself = { name: entry, kind: "module", start: 0 } as const
  return [toExport(source, itself, moduleDocstring(source), []), ...exportsOf(source, read)]
}

/** The text of a docstring, without its asterisks. */
const textOf = (docstring: string): string =>
  docstring
    .slice("/**".length, -"*/".length)
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, ""))
    .join("\n")
    .trim()

/** At least three words and a full stop, before anything else. */
const beginsWithSentence = (text: string): boolean => {
  const [paragraph = ""] = text.split(/\n\s*\n|\n(?=@)/)
  return /^(?![@#>*-]|```)\S+(\s+\S+){2,}[^]*[.:]$/.test(paragraph.trim())
}

const tagOf = (text: string, tag: string): string | undefined =>
  new RegExp(`^@${tag}\\s+(.+)$`, "m").exec(text)?.[1]?.trim()

/** Whether a version was released at or before the current one: `0.1.0` before `0.2.0`. */
const isReleased = (version: string, current: string): boolean =>
  /^\d+\.\d+\.\d+$/.test(version) && version.localeCompare(current, "en", { numeric: true }) <= 0

/** What the docstring of an export lacks; `version` is that of its package. */
export const lacks = (
  { bareNumbers, docstring, examples, kind, name }: PublicExport,
  version: string,
): ReadonlyArray<string> => {
  const units = bareNumbers.map((member) => `a docstring of ${member}, with the unit of the number`)
  if (docstring === undefined) return ["a docstring", ...units]
  const text = textOf(docstring)
  const category = tagOf(text, "category")
  const since = tagOf(text, "since")
  const ownName = new RegExp(`\\b${name.split(".").at(-1)}\\b`)
  return [
    ...(beginsWithSentence(text) ? [] : ["a sentence at its beginning"]),
    ...(category !== undefined && categories.includes(category)
      ? []
      : ["a @category of packages/api/src/categories.ts"]),
    ...(since !== undefined && isReleased(since, version)
      ? []
      : [`a @since of at most ${version}`]),
    ...(kind !== "value" || examples.some((code) => ownName.test(code))
      ? []
      : ["an executed example that uses it"]),
    ...units,
  ]
}
