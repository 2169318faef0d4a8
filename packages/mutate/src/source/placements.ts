/** Finds the nodes of a program that can be changed. */
import type { ESTree } from "vite"
import { calleeOf, type Child, children, isConstant, methodOf, type Node } from "./ast.ts"
import { changesOf, type Role } from "./expressions.ts"
import type { Placement } from "./mutant.ts"
import { isLeftOut } from "./statements.ts"

interface Place {
  readonly node: Node
  readonly slot: string
  readonly parents: ReadonlyArray<Node>
  /** Inside `a?.b.c()`, where parentheses would end the optional chain. */
  readonly chained: boolean
}

const isVoid = (node: ESTree.ArrowFunctionExpression): boolean =>
  node.returnType?.typeAnnotation.type === "TSVoidKeyword"

/** Whether the caller ignores the result of an arrow function. */
const discards = (arrow: ESTree.ArrowFunctionExpression, caller: Node | undefined): boolean =>
  isVoid(arrow) ||
  (caller !== undefined &&
    (calleeOf(caller) === "Effect.sync" ||
      (methodOf(caller) === "forEach" && calleeOf(caller) !== "Effect.forEach")))

const roleOf = ({ parents, slot }: Place): Role => {
  const [parent, grandparent] = parents
  switch (parent?.type) {
    case "IfStatement":
    case "ConditionalExpression":
      return slot === "test" ? "condition" : "value"
    case "WhileStatement":
    case "DoWhileStatement":
      return slot === "test" ? "loop" : "value"
    case "ForStatement":
      if (slot === "test") return "loop"
      return slot === "update" ? "advance" : "value"
    case "ArrowFunctionExpression":
      return slot === "body" && discards(parent, grandparent) ? "discarded" : "value"
    default:
      return "value"
  }
}

const staysChained = ({ chained, node }: Place, slot: string): boolean =>
  node.type === "ChainExpression" || (chained && (slot === "callee" || slot === "object"))

/** Skips the message of a `throw`, and directives, which are no code. */
const endsWalk = (node: Node): boolean => node.type === "ThrowStatement" || isDirective(node)

const isDirective = (node: Node): boolean =>
  node.type === "ExpressionStatement" && typeof node.directive === "string"

const statementsOf = (parent: Node | undefined): ReadonlyArray<Node> | undefined => {
  switch (parent?.type) {
    case "BlockStatement":
    case "StaticBlock":
      return parent.body
    case "SwitchCase":
      return parent.consequent
    default:
      return undefined
  }
}

/**
 * Every expression statement gets braces, changed or not: the source has no semicolons, and a
 * parenthesis must not continue the line before it.
 */
const statementAt = ({ node, parents: [parent, grandparent] }: Place): Placement | undefined => {
  const siblings = statementsOf(parent)
  const leftOut = parent !== undefined && isLeftOut(node, siblings ?? [node], parent, grandparent)
  const isTop = parent?.type === "Program"
  if (isDirective(node) || (node.type !== "ExpressionStatement" && !leftOut)) return undefined
  return {
    kind: "statement",
    start: node.start,
    end: node.end,
    changes: leftOut && !isTop ? [{ operator: "statement left out", mutated: "" }] : [],
  }
}

const expressionAt = (place: Place, text: (node: Node) => string): Placement | undefined => {
  if (place.chained && place.node.type !== "ChainExpression") return undefined
  const changes = changesOf({ node: place.node, role: roleOf(place), text })
  const { end, start } = place.node
  return changes.length === 0 ? undefined : { kind: "expression", start, end, changes }
}

/** Names in patterns and declarations are no expressions. */
const isBinding = ({ node, parents: [parent], slot }: Place): boolean =>
  node.type === "Identifier" && (slot === "id" || slot === "params" || parent?.type === "Property")

/** The operand of `+= 1`: removing it equals removing the statement. */
const isStep = ({ parents: [parent], slot }: Place): boolean =>
  parent?.type === "AssignmentExpression" &&
  slot === "right" &&
  (parent.operator === "+=" || parent.operator === "-=")

/** A constant written as a sum or product counts as one number. */
const isWhole = (placement: Placement | undefined): boolean =>
  placement?.changes.some(({ operator }) => operator === "number") === true

/** The nodes of `program` that can be changed, parents before their children. */
export const placementsOf = (program: ESTree.Program, source: string): ReadonlyArray<Placement> => {
  const placements: Array<Placement> = []
  const text = ({ end, start }: Node) => source.slice(start, end)
  const visit = (place: Place): void => {
    const { node, parents } = place
    const found =
      statementAt(place) ??
      (isBinding(place) || (isStep(place) && isConstant(node))
        ? undefined
        : expressionAt(place, text))
    if (found !== undefined) placements.push(found)
    if (isWhole(found) || endsWalk(node)) return
    for (const child of children(node)) {
      visit({ ...child, parents: [node, ...parents], chained: staysChained(place, child.slot) })
    }
  }
  const top: Child = { slot: "program", node: program }
  visit({ ...top, parents: [], chained: false })
  return placements
}
