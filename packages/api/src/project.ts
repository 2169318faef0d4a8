/** Reads the public exports and their docstrings with TypeDoc. */
import { stripVTControlCharacters } from "node:util"
import {
  Application,
  Converter,
  type DeclarationReflection,
  LogLevel,
  type ProjectReflection,
  ReflectionKind,
} from "typedoc"
import ts from "typescript"
import { categories } from "./categories.ts"
import { declared, memberType, namedTypes, wholeType } from "./declared.ts"

export interface Project {
  readonly project: ProjectReflection
  /** The text of an export's declaration, or of a member's type, by the id of its reflection. */
  readonly texts: ReadonlyMap<number, string>
  /** The file of a module. */
  readonly files: ReadonlyMap<number, string>
  /** The types that the signature of an export names and that users cannot import. */
  readonly hidden: ReadonlyMap<number, ReadonlyArray<string>>
  /** The problems that TypeDoc reports, such as a link to an unknown name. */
  readonly problems: ReadonlyArray<string>
}

const isOfKind = (declaration: ts.Declaration, kind: ReflectionKind): boolean => {
  switch (kind) {
    case ReflectionKind.Interface:
      return ts.isInterfaceDeclaration(declaration)
    case ReflectionKind.Class:
      return ts.isClassDeclaration(declaration)
    case ReflectionKind.TypeAlias:
      return ts.isTypeAliasDeclaration(declaration)
    case ReflectionKind.Function:
    case ReflectionKind.Variable:
      return ts.isVariableDeclaration(declaration)
    default:
      return memberType(declaration) !== undefined
  }
}

/** The sources of reflections, which TypeDoc's model does not have. */
class Sources {
  readonly texts = new Map<number, string>()
  readonly files = new Map<number, string>()
  readonly #exports = new Map<number, ts.Declaration>()
  #checker: ts.TypeChecker | undefined

  readonly add = (
    reflection: DeclarationReflection,
    declarations: ReadonlyArray<ts.Declaration>,
    checker: ts.TypeChecker,
  ): void => {
    this.#checker = checker
    const file = declarations.find(ts.isSourceFile)
    if (file !== undefined) this.files.set(reflection.id, file.fileName)
    const own = declarations.find((each) => isOfKind(each, reflection.kind))
    if (own === undefined) return
    const text = declared(own, checker)
    if (text !== undefined) this.#exports.set(reflection.id, own)
    const shown = text ?? memberType(own)
    if (shown !== undefined) this.texts.set(reflection.id, shown)
  }

  hidden(): ReadonlyMap<number, ReadonlyArray<string>> {
    const checker = this.#checker
    if (checker === undefined) return new Map()
    const hiddenOf = (
      declaration: ts.Declaration,
      seen: Set<ts.Declaration>,
    ): ReadonlyArray<string> =>
      namedTypes(declaration, checker).flatMap((named) => {
        if (seen.has(named) || named.getSourceFile().fileName.includes("/node_modules/")) return []
        seen.add(named)
        return [wholeType(named), ...hiddenOf(named, seen)]
      })
    const exported = [...this.#exports]
    return new Map(
      exported.map(([id, declaration]) => [
        id,
        hiddenOf(declaration, new Set(this.#exports.values())),
      ]),
    )
  }
}

/** The project of these entries, whose sources `tsconfig` includes. */
export const read = async (entries: ReadonlyArray<string>, tsconfig: string): Promise<Project> => {
  const app = await Application.bootstrap({
    entryPoints: [...entries],
    tsconfig,
    alwaysCreateEntryPointModule: true,
    readme: "none",
    disableSources: true,
    // The workspace's own TypeScript has checked the sources.
    skipErrorChecking: true,
    excludeExternals: true,
    sort: ["source-order"],
    categoryOrder: [...categories, "*"],
    validation: { invalidLink: true, notExported: false, notDocumented: false },
  })
  const problems: Array<string> = []
  app.logger.log = (message, level) => {
    if (level === LogLevel.Warn || level === LogLevel.Error)
      problems.push(stripVTControlCharacters(message))
  }
  const sources = new Sources()
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    const declarations = context.getSymbolFromReflection(reflection)?.declarations ?? []
    sources.add(reflection, declarations, context.checker)
  })
  const project = await app.convert()
  if (project === undefined) throw new Error(`TypeDoc failed: ${problems.join("\n")}`)
  app.validate(project)
  const { files, texts } = sources
  return { project, texts, files, hidden: sources.hidden(), problems }
}
