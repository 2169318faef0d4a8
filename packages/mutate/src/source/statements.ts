/** The statements that a mutant leaves out. */
import type { ESTree } from "vite"
import { bare, type Node } from "./ast.ts"

/** The expression that does something, without `await`, `yield*` and the like around it. */
const acting = (node: Node): Node => {
  const inner = bare(node)
  switch (inner.type) {
    case "AwaitExpression":
    case "YieldExpression":
      return inner.argument === null ? inner : acting(inner.argument)
    case "ChainExpression":
      return acting(inner.expression)
    case "UnaryExpression":
      return inner.operator === "void" ? acting(inner.argument) : inner
    default:
      return inner
  }
}

const acts = (statement: ESTree.ExpressionStatement): boolean => {
  const node = acting(statement.expression)
  switch (node.type) {
    case "CallExpression":
      return node.callee.type !== "Super"
    case "AssignmentExpression":
    case "UpdateExpression":
    case "YieldExpression":
    case "Identifier":
      return true
    case "UnaryExpression":
      return node.operator === "delete"
    default:
      return false
  }
}

/**
 * Whether a jump is worth leaving out: alone in its block, a condition that is
 * false says the same; at the end of a function nothing follows it.
 */
const jumps = (
  statement: Node,
  siblings: ReadonlyArray<Node>,
  parent: Node,
  grandparent: Node | undefined,
): boolean => {
  if (siblings.length < 2 || parent.type === "SwitchCase") return false
  const isLast = siblings.at(-1) === statement
  return !(isLast && grandparent !== undefined && "params" in grandparent)
}

/** Whether the statement is all that an `if` without `else` does: a condition that is false says the same. */
const isWholeBody = (
  siblings: ReadonlyArray<Node>,
  parent: Node,
  grandparent: Node | undefined,
): boolean => {
  const branch = parent.type === "BlockStatement" ? grandparent : parent
  return siblings.length === 1 && branch?.type === "IfStatement" && branch.alternate === null
}

/** Whether a mutant leaves out this statement of `siblings`. */
export const isLeftOut = (
  statement: Node,
  siblings: ReadonlyArray<Node>,
  parent: Node,
  grandparent: Node | undefined,
): boolean => {
  switch (statement.type) {
    case "ExpressionStatement":
      return acts(statement) && !isWholeBody(siblings, parent, grandparent)
    case "ReturnStatement":
    case "ThrowStatement":
    case "ContinueStatement":
      return jumps(statement, siblings, parent, grandparent)
    default:
      return false
  }
}
