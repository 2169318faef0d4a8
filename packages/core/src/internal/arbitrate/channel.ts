/** Carries the messages of one larder to its subscriptions, at once or over a simulated network. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { GapReason, Message } from "../../Tier.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import { Arrivals } from "./arrivals.ts"
import * as Pulse from "./pulse.ts"

/**
 * A heartbeat of a shared tier to one subscription.
 *
 * @category models
 * @since 0.1.0
 */
export interface Heartbeat {
  readonly _tag: "Heartbeat"
  /** The number of the heartbeat: 1 for the first one of the subscription. */
  readonly number: number
  /** How many messages the tier has published for the larder. A subscription that lacks one has a gap. */
  readonly messages: number
}

/**
 * One subscription to the messages of a shared tier: a node has one for each larder.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subscription {
  /** The name of the larder. */
  readonly larder: string
  /** The number of the subscription among those of the larder, in the order of opening: 1 for the first. */
  readonly number: number
  /** The function that was given to the arbiter's `listen`: it tells whose subscription this is. */
  readonly receive: (message: Message) => void
}

/**
 * How messages and heartbeats of a shared tier travel to its subscribers: a network whose delays and
 * losses a test sets.
 *
 * @category options
 * @since 0.1.0
 */
export interface Network {
  /**
   * The delays, in milliseconds of the tier's `Clock`, after which copies of a message or a heartbeat
   * arrive at a subscription: `[]` loses it, `[0]` delivers it at once, `[0, 50]` delivers it twice,
   * and different delays change the order. A delay that is not above 0 is no delay. Called once for
   * each message and subscription, in the order of publication; must not throw.
   */
  readonly deliver: (
    message: Exclude<Message, { readonly _tag: "Gap" }> | Heartbeat,
    to: Subscription,
  ) => ReadonlyArray<number>
}

type Sent = Parameters<Network["deliver"]>[0]
export type Published = Exclude<Sent, Heartbeat>

type Receive = (message: Message) => void

/** The messages of one larder. */
export interface Channel {
  readonly publish: (message: Published) => void
  /** Ends and renews the connection of every subscription, as when a server restarts. */
  readonly reconnect: () => void
  /** Subscribes until the scope closes. `receive` never throws. */
  readonly subscribe: (receive: Receive) => Effect.Effect<void, never, Scope.Scope>
}

/** Has `one` among the subscribers until the scope closes. */
const among = <A>(subscribers: Set<A>, one: A): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => subscribers.add(one)),
      () => Effect.sync(() => subscribers.delete(one)),
    ),
  )

const disconnected = (isOver: boolean): Message => ({
  _tag: "Gap",
  reason: "disconnected",
  part: undefined,
  isOver,
})

/** Delivers each message to all subscriptions in the step that publishes it. Has no timers. */
export const direct = (): Channel => {
  const subscribers = new Set<Receive>()
  const publish = (message: Message): void => {
    for (const receive of subscribers) receive(message)
  }
  return {
    publish,
    reconnect: () => {
      publish(disconnected(false))
      publish(disconnected(true))
    },
    // A function of its own, so that one receiver can subscribe twice.
    subscribe: (receive) => among(subscribers, (message: Message) => receive(message)),
  }
}

export interface Simulated {
  readonly larder: string
  readonly network: Network
  readonly clock: SteadyClock
  /** ms. */
  readonly heartbeat: number
}

/** Delivers messages as `network` says, with heartbeats, and reports gaps to the subscriptions. */
export const simulated = (options: Simulated): Channel => {
  const lines = new Set<Line>()
  let messages = 0
  let subscriptions = 0
  const period = Duration.millis(options.heartbeat)
  return {
    publish: (message) => {
      messages += 1
      for (const line of lines) line.send(message, messages)
    },
    reconnect: () => {
      for (const line of lines) line.reconnect()
    },
    subscribe: (receive) =>
      Effect.gen(function* () {
        const later = yield* delayed(options.clock, yield* Effect.scope)
        subscriptions += 1
        const to = { larder: options.larder, number: subscriptions, receive }
        const line = new Line(options.network, to, later, messages)
        yield* among(lines, line)
        const beat = Effect.sync(() => line.beat(messages))
        const beating = Effect.forever(Effect.andThen(options.clock.pause(period), beat))
        yield* Effect.forkScoped(beating, { startImmediately: true })
      }),
  }
}

type Later = (delayMillis: number, task: () => void) => void

/** Runs tasks after a delay, until the scope closes. */
const delayed = (clock: SteadyClock, scope: Scope.Scope): Effect.Effect<Later> =>
  Effect.map(Effect.context<never>(), (context) => (delayMillis, task) => {
    const delay = clock.pause(Duration.millis(delayMillis))
    const fiber = Effect.runForkWith(context)(Effect.andThen(delay, Effect.sync(task)))
    Fiber.runIn(fiber, scope)
  })

/** The way to one subscription. */
class Line {
  readonly #network: Network
  readonly #to: Subscription
  readonly #later: Later
  readonly #arrivals: Arrivals
  #pulse = Pulse.begun
  #isSilent = false

  constructor(network: Network, to: Subscription, later: Later, published: number) {
    this.#network = network
    this.#to = to
    this.#later = later
    this.#arrivals = new Arrivals(published)
  }

  /** `number`: the number of the message among those of the larder. */
  send(message: Published, number: number): void {
    this.#deliver(message, () => {
      this.#arrivals.add(number)
      this.#to.receive(message)
    })
  }

  /** A silence goes on: only a heartbeat shows that messages arrive again. */
  reconnect(): void {
    this.#to.receive(disconnected(false))
    if (!this.#isSilent) this.#to.receive(disconnected(true))
  }

  beat(messages: number): void {
    this.#pulse = Pulse.beat(this.#pulse)
    const heartbeat: Heartbeat = { _tag: "Heartbeat", number: this.#pulse.sent, messages }
    this.#deliver(heartbeat, () => this.#hear(heartbeat))
    if (!this.#isSilent && Pulse.isSilent(this.#pulse)) this.#gap("silence", false)
  }

  #hear({ messages, number }: Heartbeat): void {
    this.#pulse = Pulse.hear(this.#pulse, number)
    const isHole = this.#arrivals.lacks(messages)
    // Race: a heartbeat from before a silence arrives late. It does not end the silence.
    if (Pulse.isSilent(this.#pulse)) return
    if (this.#isSilent) this.#gap("silence", true)
    else if (isHole) this.#gap("hole", true)
  }

  #gap(reason: GapReason, isOver: boolean): void {
    this.#isSilent = !isOver
    this.#to.receive({ _tag: "Gap", reason, part: undefined, isOver })
  }

  #deliver(sent: Sent, arrive: () => void): void {
    for (const delay of this.#network.deliver(sent, this.#to)) {
      if (delay > 0) this.#later(delay, arrive)
      else arrive()
    }
  }
}
