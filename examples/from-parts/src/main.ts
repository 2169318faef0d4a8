/**
 * A day at the corner shop, in five seconds: what one price costs to look up, and what a customer
 * sees.
 */
import { EarlyRefresh } from "@larder/core"
import { Clock, Console, Effect, Exit } from "effect"
import { make } from "./cache.ts"

/** The wholesaler's price list: slow by day, closed in the evening. */
const wholesaler = (say: (line: string) => Effect.Effect<void>) => {
  const state = { price: 120, millis: 100, open: true }
  const lookup = Effect.fnUntraced(function* (product: string) {
    yield* say(`    wholesaler is asked for ${product}`)
    yield* Effect.sleep(state.millis)
    return state.open ? state.price++ : yield* Effect.fail("closed" as const)
  })
  return { state, lookup }
}

const program = Effect.gen(function* () {
  const start = yield* Clock.currentTimeMillis
  const say = (line: string) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Console.log(`${String(now - start).padStart(5)} ms  ${line}`),
    )
  const { lookup, state } = wholesaler(say)
  const get = make(lookup, {
    freshFor: 500,
    revalidateFor: 300,
    staleFor: 1_500,
    softTimeout: 150,
    hardTimeout: 1_000,
    early: EarlyRefresh.after(0.8),
  })
  const ask = (who: string) =>
    Effect.flatMap(Effect.exit(get("milk")), (exit) =>
      say(Exit.isSuccess(exit) ? `${who}: ${exit.value} cents` : `${who}: no price`),
    )

  yield* say("opening: fifty customers at once, one question")
  yield* Effect.forEach(Array.from({ length: 50 }), () => get("milk"), {
    concurrency: "unbounded",
  })
  yield* ask("the fifty-first")
  yield* Effect.sleep(420)
  yield* say("the price is still fresh, but not for long: early refresh")
  yield* ask("an early customer")
  yield* Effect.sleep(650)
  yield* say("just out of date: the old price at once, a new one in the background")
  yield* ask("a hurried customer")
  yield* Effect.sleep(200)
  yield* ask("the next one")
  yield* Effect.sleep(900)
  state.millis = 400
  yield* say("the wholesaler has become slow: the old price after 150 ms")
  yield* ask("a patient customer")
  yield* Effect.sleep(300)
  yield* ask("somebody later")
  yield* Effect.sleep(900)
  state.millis = 100
  state.open = false
  yield* say("the wholesaler is closed: the old price is better than none")
  yield* ask("an evening customer")
  yield* Effect.sleep(1_200)
  yield* say("and too old a price is none")
  yield* ask("a night owl")
})

await Effect.runPromise(program)
