/** The pages of the reference: one for each module, and an index of all exports. */
import { dirname, join, posix, relative } from "node:path"
import {
  type Comment,
  type CommentDisplayPart,
  type DeclarationReflection,
  Reflection,
  ReflectionKind,
} from "typedoc"
import { anchors, block, capitalized, cell, code, firstParagraph, table } from "./markdown.ts"
import type { Project } from "./project.ts"

/** Pages by their path within the folder of the reference. */
export type Pages = ReadonlyMap<string, string>

interface Section {
  readonly category: string
  readonly exports: ReadonlyArray<DeclarationReflection>
}

interface Module {
  readonly reflection: DeclarationReflection
  readonly path: string
  /** The entry of a package that exports it. */
  readonly entry: DeclarationReflection
  readonly sections: ReadonlyArray<Section>
  /** The modules that it exports as namespaces, by category. */
  readonly namespaces: ReadonlyArray<Section>
  /** Exports whose page is another one. */
  readonly elsewhere: ReadonlyArray<DeclarationReflection>
}

const isNamespace = ({ kind }: Reflection): boolean => kind === ReflectionKind.Namespace

const sectionsOf = (
  { categories = [] }: DeclarationReflection,
  keep: (reflection: DeclarationReflection) => boolean,
): ReadonlyArray<Section> =>
  categories
    .map(({ children, title }) => ({
      category: title,
      exports: children
        .filter((each) => each.isDeclaration())
        .filter((each) => !each.isReference())
        .filter(keep),
    }))
    .filter(({ exports }) => exports.length > 0)

const moduleOf = (
  reflection: DeclarationReflection,
  entry: DeclarationReflection,
  path: string,
): Module => ({
  reflection,
  path,
  entry,
  sections: sectionsOf(reflection, (each) => !isNamespace(each)),
  namespaces: sectionsOf(reflection, isNamespace),
  elsewhere: (reflection.children ?? []).filter((each) => each.isReference()),
})

/**
 * `@larder/core` has the folder `core`, its module `Policy` the page `core/Policy.md`, and the entry
 * `@larder/core/tier` a folder: a page `tier.md` beside `Tier.md` would be the same file on a Mac.
 */
const modulesOf = (entry: DeclarationReflection): ReadonlyArray<Module> => {
  const [, ...names] = entry.name.split("/")
  const folder = names.join("/")
  const own = moduleOf(entry, entry, `${folder}/README.md`)
  const namespaces = own.namespaces
    .flatMap(({ exports }) => exports)
    .map((each) => moduleOf(each, entry, `${folder}/${each.name}.md`))
  return [own, ...namespaces]
}

type Url = (reflection: Reflection) => string | undefined

/** An entry that exports nothing but modules is described by the index alone. */
const hasPage = ({ elsewhere, sections }: Module): boolean => sections.length + elsewhere.length > 0

/** The place of each module and export: its page, and its heading there. */
const placesOf = (modules: ReadonlyArray<Module>): ReadonlyMap<number, string> => {
  const places = new Map<number, string>()
  const indexAnchorOf = anchors()
  for (const module of modules) {
    const { entry, path, reflection, sections } = module
    const onIndex = reflection === entry ? `README.md#${indexAnchorOf(reflection.name)}` : path
    places.set(reflection.id, hasPage(module) ? path : onIndex)
    const anchorOf = anchors()
    anchorOf(reflection.name)
    for (const { category, exports } of sections) {
      anchorOf(category)
      for (const each of exports) places.set(each.id, `${path}#${anchorOf(each.name)}`)
    }
  }
  return places
}

/** A link from a page; a member of an interface is at the heading of that. */
const urlFrom =
  (page: string, places: ReadonlyMap<number, string>): Url =>
  (reflection) => {
    for (let each: Reflection | undefined = reflection; each; each = each.parent) {
      const target = each.isReference() ? each.getTargetReflectionDeep() : each
      const place = places.get(target.id)
      if (place === undefined) continue
      const [path = "", anchor] = place.split("#")
      const file = path === page ? "" : posix.relative(dirname(page), path)
      return anchor === undefined ? file : `${file}#${anchor}`
    }
    return undefined
  }

const partText = (part: CommentDisplayPart, urlOf: Url): string => {
  if (part.kind !== "inline-tag") return part.text
  const { target, text } = part
  const url = target instanceof Reflection ? urlOf(target) : undefined
  return url === undefined ? code(text) : `[${code(text)}](${url})`
}

const textOf = (comment: Comment | undefined, urlOf: Url): string =>
  (comment?.summary ?? [])
    .map((part) => partText(part, urlOf))
    .join("")
    .trim()

/** A function has its docstring at its signature. */
const commentOf = (reflection: DeclarationReflection): Comment | undefined =>
  reflection.comment ?? reflection.signatures?.[0]?.comment

const sinceOf = (comment: Comment | undefined): string => {
  const since = comment?.getTag("@since")
  return since === undefined
    ? ""
    : `Since ${since.content
        .map(({ text }) => text)
        .join("")
        .trim()}`
}

const membersOf = (
  { children = [], kind }: DeclarationReflection,
  { texts }: Project,
  urlOf: Url,
): string => {
  if (kind !== ReflectionKind.Interface && kind !== ReflectionKind.Class) return ""
  // The fields of an error are in its declaration.
  const isShown = (member: Reflection) =>
    kind === ReflectionKind.Interface || member.kind === ReflectionKind.Method
  const rows = children.flatMap((member) => {
    const type = texts.get(member.id)
    if (type === undefined || member.name.startsWith("~") || !isShown(member)) return []
    const name = code(member.flags.isOptional ? `${member.name}?` : member.name)
    const [description = ""] = textOf(commentOf(member), urlOf).split("**Example**")
    return [[name, cell(code(type)), cell(description)]]
  })
  return rows.length === 0 ? "" : table(["Member", "Type", "Description"], rows)
}

const exportText = (reflection: DeclarationReflection, project: Project, urlOf: Url): string => {
  const text = project.texts.get(reflection.id)
  const comment = commentOf(reflection)
  return [
    `### ${reflection.name}`,
    text === undefined ? "" : block(text),
    textOf(comment, urlOf),
    membersOf(reflection, project, urlOf),
    sinceOf(comment),
  ]
    .filter((part) => part !== "")
    .join("\n\n")
}

const link = (reflection: DeclarationReflection, urlOf: Url): string =>
  `[${code(reflection.name)}](${urlOf(reflection) ?? ""})`

const links = (exports: ReadonlyArray<DeclarationReflection>, urlOf: Url): string =>
  exports.map((each) => link(each, urlOf)).join(", ")

const namespacesText = (
  { namespaces }: Module,
  urlOf: Url,
  exportsOf: (namespace: DeclarationReflection) => ReadonlyArray<DeclarationReflection>,
): ReadonlyArray<string> =>
  namespaces.map(({ category, exports }) => {
    const rows = exports.map((each) => [
      link(each, urlOf),
      cell(firstParagraph(textOf(each.comment, urlOf))),
      links(exportsOf(each), urlOf),
    ])
    return `### ${capitalized(category)}\n\n${table(["Module", "What it is", "Exports"], rows)}`
  })

const importOf = ({ entry, reflection }: Module): string =>
  reflection === entry
    ? `Import from ${code(entry.name)}`
    : code(`import { ${reflection.name} } from "${entry.name}"`)

/** The types behind the signatures of a page that users cannot import. */
const hiddenText = (sections: ReadonlyArray<Section>, { hidden }: Project): string => {
  const ids = sections.flatMap(({ exports }) => exports.map(({ id }) => id))
  const types = new Set(ids.flatMap((id) => hidden.get(id) ?? []))
  return types.size === 0 ? "" : `## Named above, not exported\n\n${block([...types].join("\n\n"))}`
}

const pageText = (module: Module, project: Project, urlOf: Url, source: string): string => {
  const { elsewhere, entry, path, reflection, sections } = module
  const home = `[API reference](${posix.relative(dirname(path), "README.md")})`
  const above = reflection === entry ? [home] : [home, `[${entry.name}](${urlOf(entry) ?? ""})`]
  const content = sections.map(
    ({ category, exports }) => `- ${capitalized(category)}: ${links(exports, urlOf)}`,
  )
  return [
    [...above, reflection.name].join(" / "),
    `# ${reflection.name}`,
    `${importOf(module)} · [source](${source})`,
    textOf(reflection.comment, urlOf),
    sinceOf(reflection.comment),
    content.join("\n"),
    elsewhere.length === 0 ? "" : `Exported here as well: ${links(elsewhere, urlOf)}`,
    ...sections.flatMap(({ category, exports }) => [
      `## ${capitalized(category)}`,
      ...exports.map((each) => exportText(each, project, urlOf)),
    ]),
    hiddenText(sections, project),
  ]
    .filter((part) => part !== "")
    .join("\n\n")
}

const indexText = (
  entries: ReadonlyArray<ReadonlyArray<Module>>,
  places: ReadonlyMap<number, string>,
): string => {
  const urlOf = urlFrom("README.md", places)
  return [
    "# API reference",
    "Every export of the published packages. `pnpm docs:api` makes these pages of the docstrings: change those, not the pages.",
    ...entries.flatMap(([own, ...namespaces]) => {
      if (own === undefined) return []
      const exportsOf = (each: DeclarationReflection) =>
        namespaces
          .filter(({ reflection }) => reflection === each)
          .flatMap(({ elsewhere, sections }) => [
            ...sections.flatMap(({ exports }) => exports),
            ...elsewhere,
          ])
      const direct = own.sections.flatMap(({ exports }) => exports)
      return [
        `## ${own.reflection.name}`,
        textOf(own.reflection.comment, urlOf),
        direct.length === 0 ? "" : `${link(own.reflection, urlOf)}: ${links(direct, urlOf)}`,
        ...namespacesText(own, urlOf, exportsOf),
      ].filter((part) => part !== "")
    }),
  ].join("\n\n")
}

/** All pages. They link to the sources from `folder`, in which they are stored. */
export const pagesOf = (project: Project, folder: string): Pages => {
  const entries = (project.project.children ?? [])
    .toSorted((a, b) => a.name.localeCompare(b.name, "en"))
    .map(modulesOf)
  const modules = entries.flat()
  const places = placesOf(modules)
  const pages = modules.filter(hasPage).map((module): [string, string] => {
    const { path, reflection } = module
    const file = project.files.get(reflection.id) ?? ""
    const source = relative(join(folder, dirname(path)), file)
    return [path, `${pageText(module, project, urlFrom(path, places), source)}\n`]
  })
  return new Map([["README.md", `${indexText(entries, places)}\n`], ...pages])
}
