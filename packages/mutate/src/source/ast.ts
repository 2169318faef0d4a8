/** Finds the parts of a syntax tree with code that runs. */
import type { ESTree } from "vite"

export type Node = ESTree.Node

/** A node below its parent, with the name of its field. */
export interface Child {
  readonly slot: string
  readonly node: Node
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

/** Casts; their operand runs. */
const casts = new Set<string>([
  "TSAsExpression",
  "TSNonNullExpression",
  "TSSatisfiesExpression",
  "TSInstantiationExpression",
  "TSTypeAssertion",
])

const isType = ({ type }: Node): boolean => type.startsWith("TS") && !casts.has(type)

/** Fields that hold names, types or labels. */
const inert = new Set([
  "decorators",
  "implements",
  "label",
  "returnType",
  "superTypeArguments",
  "typeAnnotation",
  "typeArguments",
  "typeParameters",
])

const isName = (node: Node, slot: string): boolean =>
  (slot === "key" || slot === "property") && "computed" in node && !node.computed

/** A re-export contains only names; a template contains a message or a key. */
const holdsNoCode = ({ type }: Node): boolean =>
  type === "ImportDeclaration" ||
  type === "ExportAllDeclaration" ||
  type === "TemplateLiteral" ||
  type === "ExportSpecifier"

/** The children that run, in source order. */
export const children = (node: Node): ReadonlyArray<Child> =>
  holdsNoCode(node)
    ? []
    : Object.entries(node)
        .filter(([slot]) => !inert.has(slot) && !isName(node, slot))
        .flatMap(([slot, value]) =>
          (Array.isArray(value) ? value : [value])
            .filter(isNode)
            .filter((child) => !isType(child))
            .map((child) => ({ slot, node: child })),
        )

/** A node without the parentheses and casts around it. */
export const bare = (node: Node): Node =>
  node.type === "ParenthesizedExpression" || casts.has(node.type)
    ? bare((node as ESTree.ParenthesizedExpression).expression)
    : node

/** The name of `name` in `name(…)`, of `module.name` in `module.name(…)`. */
export const calleeOf = (node: Node): string | undefined => {
  if (node.type !== "CallExpression") return undefined
  const { callee } = node
  if (callee.type === "Identifier") return callee.name
  if (callee.type !== "MemberExpression" || callee.computed) return undefined
  const { object, property } = callee
  const name = property.type === "Identifier" ? property.name : "#"
  return object.type === "Identifier" ? `${object.name}.${name}` : `.${name}`
}

/** The last name of the callee: `pipe` in `effect.pipe(…)` and `a.b.pipe(…)`. */
export const methodOf = (node: Node): string | undefined => {
  const name = calleeOf(node)
  return name?.includes(".") === true ? name.slice(name.lastIndexOf(".") + 1) : undefined
}

/** Whether a node is a literal number: `1_000`, `-1`, `24 * 60`. */
export const isConstant = (node: Node): boolean => {
  switch (node.type) {
    case "Literal":
      return typeof node.value === "number"
    case "UnaryExpression":
      return (node.operator === "-" || node.operator === "+") && isConstant(node.argument)
    case "BinaryExpression":
      return isConstant(node.left) && isConstant(node.right)
    case "ParenthesizedExpression":
      return isConstant(node.expression)
    default:
      return false
  }
}

/** Whether a sum concatenates strings. */
export const isText = (node: Node): boolean => {
  const inner = bare(node)
  return (
    inner.type === "TemplateLiteral" ||
    (inner.type === "Literal" && typeof inner.value === "string") ||
    (inner.type === "BinaryExpression" &&
      inner.operator === "+" &&
      (isText(inner.left) || isText(inner.right)))
  )
}
