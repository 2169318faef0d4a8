/** The text of a declaration as its source has it, without a body. */
import ts from "typescript"

/** As the sources are formatted. */
const printWidth = 100

const textsOf = (nodes: ReadonlyArray<ts.Node>): ReadonlyArray<string> =>
  nodes.map((node) => node.getText())

/** The parameters and the result of a function, on one line where they fit. */
const signatureOf = (
  { parameters, typeParameters }: ts.SignatureDeclarationBase,
  arrow: string,
  result: string,
): string => {
  const types = typeParameters === undefined ? "" : `<${textsOf(typeParameters).join(", ")}>`
  const own = textsOf(parameters)
  const line = `${types}(${own.join(", ")})${arrow}${result}`
  return line.length <= printWidth || own.length === 0
    ? line
    : `${types}(\n  ${own.join(",\n  ")},\n)${arrow}${result}`
}

/** The annotation of a variable, else the signature of its function, else what the checker infers. */
const variableType = (
  { initializer, name, type }: ts.VariableDeclaration,
  checker: ts.TypeChecker,
): string => {
  if (type !== undefined) return type.getText()
  if (initializer !== undefined && ts.isArrowFunction(initializer) && initializer.type) {
    return signatureOf(initializer, " => ", initializer.type.getText())
  }
  const inferred = checker.getTypeAtLocation(name)
  return checker.typeToString(inferred, name, ts.TypeFormatFlags.NoTruncation)
}

/** Up to the members, without `export`. */
const headOf = (declaration: ts.ClassDeclaration | ts.InterfaceDeclaration): string => {
  const { text } = declaration.getSourceFile()
  const keyword = ts.isClassDeclaration(declaration) ? "class" : "interface"
  const start = declaration.name?.getStart() ?? declaration.getStart()
  return `${keyword} ${text.slice(start, text.lastIndexOf("{", declaration.members.pos)).trim()}`
}

/** The calls that an interface allows. */
const callsOf = ({ members }: ts.InterfaceDeclaration): string => {
  const calls = textsOf(members.filter(ts.isCallSignatureDeclaration))
  return calls.length === 0 ? "" : ` {\n${calls.map((call) => `  ${call}\n`).join("")}}`
}

/** The text that a page shows for an export; `undefined` for a declaration of another kind. */
export const declared = (
  declaration: ts.Declaration,
  checker: ts.TypeChecker,
): string | undefined => {
  if (ts.isVariableDeclaration(declaration)) {
    return `const ${declaration.name.getText()}: ${variableType(declaration, checker)}`
  }
  if (ts.isInterfaceDeclaration(declaration)) return headOf(declaration) + callsOf(declaration)
  if (ts.isClassDeclaration(declaration)) return headOf(declaration)
  return ts.isTypeAliasDeclaration(declaration) ? wholeType(declaration) : undefined
}

/** A type with its members and their docstrings. */
export const wholeType = (
  declaration: ts.InterfaceDeclaration | ts.TypeAliasDeclaration,
): string => {
  const keyword = ts.isInterfaceDeclaration(declaration) ? "interface" : "type"
  const { text } = declaration.getSourceFile()
  return `${keyword} ${text.slice(declaration.name.getStart(), declaration.getEnd())}`
}

/** The type of a member of an interface, or of a method of a class; `undefined` for anything else. */
export const memberType = (declaration: ts.Declaration): string | undefined => {
  if (ts.isPropertySignature(declaration)) return declaration.type?.getText()
  return ts.isMethodSignature(declaration) || ts.isMethodDeclaration(declaration)
    ? signatureOf(declaration, " => ", declaration.type?.getText() ?? "void")
    : undefined
}

/** The parts of a declaration that a page shows. */
const shownOf = (declaration: ts.Declaration): ReadonlyArray<ts.Node> => {
  if (!ts.isVariableDeclaration(declaration)) {
    return ts.isClassDeclaration(declaration) ? [] : [declaration]
  }
  const { initializer, type } = declaration
  if (type !== undefined) return [type]
  if (initializer === undefined || !ts.isArrowFunction(initializer)) return []
  const { parameters, type: result, typeParameters } = initializer
  return [...(typeParameters ?? []), ...parameters, ...(result === undefined ? [] : [result])]
}

const isType = (
  declaration: ts.Declaration,
): declaration is ts.InterfaceDeclaration | ts.TypeAliasDeclaration =>
  ts.isInterfaceDeclaration(declaration) || ts.isTypeAliasDeclaration(declaration)

/** The types that the shown parts of a declaration name. */
export const namedTypes = (
  declaration: ts.Declaration,
  checker: ts.TypeChecker,
): ReadonlyArray<ts.InterfaceDeclaration | ts.TypeAliasDeclaration> => {
  const found: Array<ts.InterfaceDeclaration | ts.TypeAliasDeclaration> = []
  const visit = (node: ts.Node): void => {
    const name = ts.isTypeReferenceNode(node)
      ? node.typeName
      : ts.isExpressionWithTypeArguments(node)
        ? node.expression
        : undefined
    const symbol = name && checker.getSymbolAtLocation(name)
    const target =
      symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
    found.push(...(target?.declarations ?? []).filter(isType))
    ts.forEachChild(node, visit)
  }
  for (const node of shownOf(declaration)) visit(node)
  return found
}
