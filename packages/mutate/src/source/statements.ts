/** Selects the statements that mutants leave out. */
import type { ESTree } from "vite"
import { bare, type Node } from "./ast.ts"

/** The expression with the effect, without `await`, `yield*` and the like around it. */
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
 * Whether leaving out a jump tests something new. Alone in its block, it equals a false condition;
 * at the end of a function, nothing follows it.
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

/**
 * Whether the statement is the whole body of an `if` without `else`: leaving it out equals a false
 * condition.
 */
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
