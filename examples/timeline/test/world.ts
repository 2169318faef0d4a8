/** Two nodes of the application over one source and one shared tier, in virtual time. */
import { LarderTest } from "@larder/testing"
import { it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import * as Larders from "../src/larders.ts"
import * as Network from "../src/network.ts"
import type { Post } from "../src/network.ts"
import * as Timeline from "../src/timeline.ts"

export const queryMillis = 10

type Services = Layer.Success<typeof services>

const services = Layer.merge(Network.layer(queryMillis), LarderTest.layer)

export const test = (
  title: string,
  body: Effect.Effect<void, unknown, Services | Scope.Scope>,
  { pushLimit = 2 }: { readonly pushLimit?: number } = {},
) => {
  it.effect(title, () =>
    body.pipe(
      Effect.scoped,
      Effect.provide(Layer.fresh(services)),
      Effect.provideService(Larders.PushLimit, pushLimit),
    ),
  )
}

export const nodes = LarderTest.nodes(2, Larders.layer)

export type Node = LarderTest.Node<Larders.Larders>

/** Runs an effect on a node, and lets the time pass that it needs. */
export const on = <A, E, R>(node: Node, effect: Effect.Effect<A, E, R>) =>
  LarderTest.settle(node.run(effect))

const textsOf = (posts: ReadonlyArray<Post>) =>
  posts.map(({ quoted, text }) => (quoted === undefined ? text : `${text} < ${quoted.text}`))

/** The texts that a user sees on a node, with what they quote. */
export const seen = (node: Node, user: string, count?: number) =>
  Effect.map(on(node, Timeline.read(user, count)), textsOf)

/** Publishes on a node, and pushes. */
export const post = (node: Node, author: string, text: string, quotes?: number) =>
  on(
    node,
    Effect.tap(Timeline.publish({ author, text, quotes }), (id) => Timeline.push(author, id)),
  )

/** Makes users follow an author, in this order. */
export const followers = (node: Node, author: string, users: ReadonlyArray<string>) =>
  Effect.forEach(users, (user) => on(node, Timeline.follow(user, author)), { discard: true })
