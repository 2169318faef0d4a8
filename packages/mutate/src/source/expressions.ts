/** The mutation operators that replace one expression with another. */
import type { ESTree } from "vite"
import { bare, calleeOf, isConstant, isText, methodOf, type Node } from "./ast.ts"
import type { Change } from "./mutant.ts"

/** The position of an expression: it decides which replacements make sense. */
export type Role = "condition" | "loop" | "advance" | "discarded" | "value"

export interface Site {
  readonly node: Node
  readonly role: Role
  /** The source of a node. */
  readonly text: (node: Node) => string
}

const change = (operator: string, mutated: string): Change => ({ operator, mutated })

const boundary: Record<string, string> = { "<": "<=", "<=": "<", ">": ">=", ">=": ">" }
const negated: Record<string, string> = {
  "<": ">=",
  "<=": ">",
  ">": "<=",
  ">=": "<",
  "===": "!==",
  "!==": "===",
}
const arithmetic: Record<string, string> = {
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "**": "*",
  "&": "|",
  "|": "&",
  "^": "&",
  "<<": ">>",
  ">>": "<<",
  ">>>": "<<",
}
const assigned: Record<string, string> = {
  "+=": "-=",
  "-=": "+=",
  "*=": "/=",
  "/=": "*=",
  "|=": "&=",
  "&=": "|=",
  "^=": "&=",
  "<<=": ">>=",
  ">>=": "<<=",
  ">>>=": "<<=",
  "??=": "=",
  "||=": "=",
  "&&=": "=",
}

/** In a condition, `true` and `false` replace a comparison: stronger mutants than its negation. */
const isCondition = (role: Role): boolean => role === "condition" || role === "loop"

const ofBinary = (
  node: ESTree.BinaryExpression | ESTree.PrivateInExpression,
  { role, text }: Site,
): ReadonlyArray<Change> => {
  const { operator } = node
  const sides = (other: string) => `${text(node.left)} ${other} ${text(node.right)}`
  const changes: Array<Change> = []
  if (Object.hasOwn(boundary, operator)) {
    changes.push(change("boundary", sides(boundary[operator]!)))
  }
  if (Object.hasOwn(negated, operator) && !isCondition(role)) {
    changes.push(change("negation", sides(negated[operator]!)))
  }
  if (Object.hasOwn(arithmetic, operator) && !isText(node)) {
    changes.push(change("arithmetic", sides(arithmetic[operator]!)))
  }
  return changes
}

const ofLogical = (node: ESTree.LogicalExpression, { text }: Site): ReadonlyArray<Change> => {
  const [left, right] = [text(node.left), text(node.right)]
  const operands = [change("left alone", left), change("right alone", right)]
  if (node.operator === "??") return operands
  const other = node.operator === "&&" ? "||" : "&&"
  // Without parentheses, `a && b || c` would group differently.
  return [change("logical", `(${left}) ${other} (${right})`), ...operands]
}

const ofUnary = (node: ESTree.UnaryExpression, { role, text }: Site): ReadonlyArray<Change> =>
  node.operator === "!" && !isCondition(role) ? [change("negation", text(node.argument))] : []

const ofConstant = (node: Node, { text }: Site): ReadonlyArray<Change> => {
  const written = text(node)
  if (/^0(\.0*)?$/.test(written)) return [change("number", "1")]
  if (written === "1") return [change("number", "0")]
  // A negative number mostly means "none" or "the last": doubling it would change nothing.
  if (written.startsWith("-")) return [change("number", written.slice(1))]
  // Tests that reach a limit notice when it doubles.
  return [change("number", `(${written}) * 2`)]
}

const ofLiteral = (node: Node, site: Site): ReadonlyArray<Change> =>
  node.type === "Literal" && typeof node.value === "boolean" && !isCondition(site.role)
    ? [change("boolean", String(!node.value))]
    : []

/** Calls that have an opposite. */
const swapped: Record<string, string> = {
  "Math.max": "Math.min",
  "Math.min": "Math.max",
  "Math.ceil": "Math.floor",
  "Math.floor": "Math.ceil",
}
const swappedMethods: Record<string, string> = {
  some: "every",
  every: "some",
  startsWith: "endsWith",
  endsWith: "startsWith",
}

/** Combinators of Effect without which their first argument still runs. */
const decorating = new Set(
  [
    "catch catchCause catchDefect catchTag delay ensuring forkChild ignore interruptible onError onExit",
    "onExitPrimitive onInterrupt retry tap tapCause tapError timeout timeoutOrElse uninterruptible",
  ].flatMap((names) => names.split(" ")),
)

const listed = (nodes: ReadonlyArray<Node>, text: Site["text"]): string =>
  nodes.map((node) => text(node)).join(", ")

/** `x.pipe(f, g)` without `f`, without `g`. */
const withoutStep = (
  subject: string,
  steps: ReadonlyArray<Node>,
  text: Site["text"],
  joined: (rest: string) => string,
): ReadonlyArray<Change> =>
  steps.map((_, index) =>
    change(
      "step left out",
      steps.length === 1 ? subject : joined(listed(steps.toSpliced(index, 1), text)),
    ),
  )

const ofPipe = (node: ESTree.CallExpression, { text }: Site): ReadonlyArray<Change> => {
  const { arguments: given, callee } = node
  if (given.some(({ type }) => type === "SpreadElement")) return []
  if (calleeOf(node) === "pipe" && given.length > 1) {
    const [subject, ...steps] = given
    const first = text(subject!)
    return withoutStep(first, steps, text, (rest) => `${text(callee)}(${first}, ${rest})`)
  }
  if (methodOf(node) === "pipe" && callee.type === "MemberExpression") {
    return withoutStep(text(callee.object), given, text, (rest) => `${text(callee)}(${rest})`)
  }
  return []
}

const ofEffect = (node: ESTree.CallExpression, { text }: Site): ReadonlyArray<Change> => {
  const [module, name] = calleeOf(node)?.split(".") ?? []
  const [first, second] = node.arguments
  if (module !== "Effect" || name === undefined || first === undefined) return []
  const isFunction = first.type === "ArrowFunctionExpression"
  if (decorating.has(name) && !isFunction && first.type !== "ObjectExpression") {
    const whole = second !== undefined || /^(ignore|interruptible|uninterruptible)$/.test(name)
    return whole ? [change("combinator left out", text(first))] : []
  }
  return name === "andThen" && second !== undefined
    ? [
        change("first left out", `Effect.andThen(Effect.void, ${text(second)})`),
        change("second left out", text(first)),
      ]
    : []
}

const ofCall = (node: ESTree.CallExpression, site: Site): ReadonlyArray<Change> => {
  const { text } = site
  const { arguments: given, callee } = node
  const name = calleeOf(node) ?? ""
  const method = methodOf(node) ?? ""
  if (Object.hasOwn(swapped, name)) {
    return [change("opposite", `${swapped[name]!}(${listed(given, text)})`)]
  }
  if (callee.type === "MemberExpression") {
    const object = text(callee.object)
    if (Object.hasOwn(swappedMethods, method)) {
      return [change("opposite", `${object}.${swappedMethods[method]!}(${listed(given, text)})`)]
    }
    if (method === "filter" && given.length === 1 && !/^[A-Z]/.test(object)) {
      return [change("filter left out", object)]
    }
  }
  return [...ofPipe(node, site), ...ofEffect(node, site)]
}

const ofAssignment = (node: ESTree.AssignmentExpression, { text }: Site): ReadonlyArray<Change> =>
  Object.hasOwn(assigned, node.operator)
    ? [change("assignment", `${text(node.left)} ${assigned[node.operator]!} ${text(node.right)}`)]
    : []

const ofUpdate = (node: ESTree.UpdateExpression, { role, text }: Site): ReadonlyArray<Change> => {
  // A loop that counts the wrong way rarely ends.
  if (role === "advance") return []
  const other = node.operator === "++" ? "--" : "++"
  const argument = text(node.argument)
  return [change("update", node.prefix ? `${other}${argument}` : `${argument}${other}`)]
}

const own = (site: Site): ReadonlyArray<Change> => {
  const { node } = site
  if (isConstant(node)) return ofConstant(node, site)
  switch (node.type) {
    case "BinaryExpression":
      return ofBinary(node, site)
    case "LogicalExpression":
      return ofLogical(node, site)
    case "UnaryExpression":
      return ofUnary(node, site)
    case "CallExpression":
      return ofCall(node, site)
    case "AssignmentExpression":
      return ofAssignment(node, site)
    case "UpdateExpression":
      return ofUpdate(node, site)
    case "Identifier":
      return node.name === "Infinity" ? [change("number", "0")] : []
    default:
      return ofLiteral(node, site)
  }
}

/** Makes a condition always false, and always true; skips the endless loop. */
const ofCondition = ({ node, role }: Site): ReadonlyArray<Change> => {
  if (bare(node).type === "Literal") return []
  if (role === "condition") return [change("condition", "true"), change("condition", "false")]
  return role === "loop" ? [change("condition", "false")] : []
}

/** Calls made only for their effect, whose result is unused. */
const ofDiscarded = ({ node, role }: Site): ReadonlyArray<Change> => {
  if (role !== "discarded") return []
  const { type } = bare(node)
  return type === "CallExpression" || type === "AssignmentExpression" || type === "UpdateExpression"
    ? [change("call left out", "undefined")]
    : []
}

export const changesOf = (site: Site): ReadonlyArray<Change> => [
  ...ofCondition(site),
  ...ofDiscarded(site),
  ...own(site),
]
