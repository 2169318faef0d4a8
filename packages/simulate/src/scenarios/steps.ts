/** Steps of plans by short names. */
import { keyOf, type MessageCondition, type RequestCondition, type Step } from "../plan/Plan.ts"

export const [A, B] = [0, 1] as const
export const key = keyOf(0)
export const other = keyOf(1)

export const get = (node: number, of = key): Step => ({ _tag: "getWithMeta", node, key: of })
export const checked = (node: number, of = key): Step => ({
  _tag: "get",
  node,
  key: of,
  check: true,
})
export const read = (node: number, of = key): Step => ({ _tag: "read", node, key: of })
export const set = (node: number, of = key): Step => ({ _tag: "set", node, key: of })
export const remove = (node: number, of = key): Step => ({ _tag: "remove", node, key: of })
export const expire = (node: number, of = key): Step => ({ _tag: "expire", node, key: of })
export const invalidate = (node: number, ...tags: ReadonlyArray<string>): Step => ({
  _tag: "invalidateTags",
  node,
  tags,
  keepStale: true,
})
export const tag = (of: string, ...tags: ReadonlyArray<string>): Step => ({
  _tag: "publish",
  key: of,
  tags,
})
export const requests = (node: number, condition: RequestCondition): Step => ({
  _tag: "requests",
  node,
  condition,
})
export const messages = (node: number, condition: MessageCondition): Step => ({
  _tag: "messages",
  node,
  condition,
})
export const serverAway = (server: number): Step => ({ _tag: "serverAway", server })
export const serverReplaced = (server: number): Step => ({ _tag: "serverReplaced", server })
export const upstream = (millis: number): Step => ({
  _tag: "upstream",
  behaviour: "answers",
  millis,
})
/** The caller with this place among those that wait leaves. */
export const interrupt = (index: number): Step => ({ _tag: "interrupt", index })
export const wait = (millis: number): Step => ({ _tag: "wait", millis })
export const times = <A>(count: number, step: (index: number) => A): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, index) => step(index))
