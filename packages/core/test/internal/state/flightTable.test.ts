/** Flights begin, complete, are abandoned and detached in one place. */
import { describe, expect, it } from "@effect/vitest"
import { Exit, Latch } from "effect"
import { Marks } from "../../../src/internal/invalidation/marks.ts"
import { Flight, type Outcome, Waiter } from "../../../src/internal/state/flight.ts"
import { FlightTable } from "../../../src/internal/state/flightTable.ts"
import { HeldLeases } from "../../../src/internal/state/heldLeases.ts"

const flightOf = (k: string, asOf = 0) =>
  new Flight(k, k, asOf, {
    force: false,
    early: false,
    many: false,
    background: false,
    notBefore: -Infinity,
    stale: undefined,
  })

const failure = (message: string): Outcome => ({
  _tag: "Failure",
  exit: Exit.die(message),
  reason: "failed",
  graceDenied: false,
  notReturned: false,
})

/** A caller that ignores its answers. */
class Caller extends Waiter {
  readonly demand = { notBefore: -Infinity, allowStale: true, confirmedAfter: -Infinity }
  readonly many = false
  readonly insists = false
  readonly arrivedAt = 0
  give() {}
  fail() {}
  rejoin() {}
}

const world = () => {
  const marks = new Marks()
  const flights = new FlightTable(marks)
  const begun = (k: string) => {
    const flight = flightOf(k, marks.last)
    flights.begin(flight)
    return flight
  }
  const waiting = (flight: Flight) => {
    const caller = new Caller(0, undefined)
    flight.waiters.add(caller)
    return caller
  }
  return { marks, flights, begun, waiting }
}

const nothing = () => {}

describe("a flight that is detached", () => {
  it("is joined no more; what begins after it is left alone", () => {
    const { begun, flights } = world()
    flights.detach("none")
    const flight = begun("k")
    expect(flights.isDetached(flight)).toBe(false)
    flights.detach("k")
    expect(flights.isDetached(flight)).toBe(true)
    expect(flights.at("k")).toBe(undefined)
    const next = begun("k")
    flights.settled(flight)
    expect(flights.at("k")).toBe(next)
    flights.settled(next)
    expect(flights.at("k")).toBe(undefined)
  })

  it("law 11: and so are those that newer ones have displaced, while they are not complete", () => {
    const { begun, flights } = world()
    const [first, second, third, newest] = [begun("k"), begun("k"), begun("k"), begun("k")]
    const others = [begun("other"), begun("other")]
    flights.complete(newest, failure("newest"), nothing)
    flights.complete(first, failure("first"), nothing)
    flights.detach("k")
    expect([second, third].map(({ detached }) => detached)).toEqual([true, true])
    expect([first, newest, ...others].map(({ detached }) => detached)).toEqual([
      false,
      false,
      false,
      false,
    ])
  })

  it("may have begun before a clear", () => {
    const { begun, flights, marks } = world()
    const before = begun("k")
    marks.add(["t"], true, 0)
    expect(flights.isDetached(before)).toBe(false)
    marks.add([undefined], true, 0)
    expect(flights.isDetached(before)).toBe(true)
    expect(flights.isDetached(begun("other"))).toBe(false)
  })
})

describe("a flight that completes", () => {
  it("answers its callers once, and keeps its first outcome", () => {
    const { begun, flights, waiting } = world()
    const flight = begun("k")
    const callers = [waiting(flight), waiting(flight)]
    const answered: Array<Waiter> = []
    flights.complete(flight, failure("first"), (waiter) => answered.push(waiter))
    flights.complete(flight, failure("late"), (waiter) => answered.push(waiter))
    expect(answered).toEqual(callers)
    expect(flight.outcome).toEqual(failure("first"))
    expect(flights.at("k")).toBe(undefined)
  })

  it("is joined no more by a caller that asks again when it is answered", () => {
    const { begun, flights, waiting } = world()
    const flight = begun("k")
    waiting(flight)
    let joinable: Flight | undefined = flight
    flights.complete(flight, failure("first"), () => {
      joinable = flights.at("k")
    })
    expect(joinable).toBe(undefined)
  })

  it("can be joined while it settles", () => {
    const { begun, flights, waiting } = world()
    const flight = begun("k")
    waiting(flight)
    const settling = Latch.makeUnsafe()
    let seen: unknown
    flights.complete(flight, failure("first"), () => (seen = flights.at("k")?.settling), settling)
    expect(seen).toBe(settling)
    expect(flights.at("k")).toBe(flight)
    flights.settled(flight)
    expect(flights.at("k")).toBe(undefined)
  })

  it("is joined no more where a defect comes while it settles", () => {
    const { begun, flights } = world()
    const flight = begun("k")
    flights.complete(flight, failure("first"), nothing, Latch.makeUnsafe())
    flights.complete(flight, failure("defect"), nothing)
    expect(flights.at("k")).toBe(undefined)
    expect(flight.outcome).toEqual(failure("first"))
  })

  it("counts as in flight until then", () => {
    const { begun, flights, waiting } = world()
    const flight = begun("k")
    begun("other")
    waiting(flight)
    expect(flights.inFlight).toBe(2)
    let during = 0
    flights.complete(flight, failure("first"), () => {
      during = flights.inFlight
    })
    expect(during).toBe(1)
    expect(flights.active().length).toBe(1)
  })
})

describe("a flight that is abandoned", () => {
  it("is joined no more when it is cancelled, counts no more, and keeps nothing", () => {
    const { begun, flights } = world()
    const flight = begun("k")
    let joinable: Flight | undefined = flight
    flight.cancel = () => {
      joinable = flights.at("k")
    }
    flights.abandon(flight)
    expect(joinable).toBe(undefined)
    expect(flights.inFlight).toBe(0)
    expect(flight.isWanted).toBe(false)
    expect(flights.isDetached(flight)).toBe(true)
  })
})

describe("law 22: a larder that closes", () => {
  it("gives all that is active its outcome, callers first, and cancels it", () => {
    const { begun, flights, waiting } = world()
    const flight = begun("k")
    const caller = waiting(flight)
    const steps: Array<unknown> = []
    flight.cancel = () => steps.push("cancelled")
    flights.close(failure("closed"), (waiter) => steps.push(waiter))
    expect(steps).toEqual([caller, "cancelled"])
    expect(flight.outcome).toEqual(failure("closed"))
    expect([flights.at("k"), flights.active().length]).toEqual([undefined, 0])
  })

  it("leaves the outcome of one whose caller closes it when it is answered", () => {
    const { begun, flights, waiting } = world()
    const flight = begun("k")
    waiting(flight)
    const second = waiting(flight)
    const closed: Array<unknown> = []
    flights.complete(flight, failure("first"), () =>
      flights.close(failure("closed"), (waiter) => closed.push(waiter)),
    )
    expect(flight.outcome).toEqual(failure("first"))
    expect(closed).toEqual([second])
  })
})

it("law 17: the log of marks is kept while a flight can be joined, or has callers to answer", () => {
  const { begun, flights, marks, waiting } = world()
  const told = () => marks.fellBetween(["t"], 0, marks.last)
  const settles = begun("k")
  marks.add(["t"], true, 0)
  flights.complete(settles, failure("first"), nothing, Latch.makeUnsafe())
  expect(told()).toBe(true)
  flights.settled(settles)
  expect(told()).toBe(false)
  const answers = begun("k")
  waiting(answers)
  marks.add(["t"], true, 0)
  let during = false
  flights.complete(answers, failure("second"), () => {
    during = told()
  })
  expect(during).toBe(true)
  expect(told()).toBe(false)
})

it("a flight ends its own lease alone", () => {
  const leases = new HeldLeases()
  const [flight, next] = [flightOf("k"), flightOf("k")]
  leases.hold(next)
  leases.end(flight)
  expect(leases.holder("k")).toBe(next)
  leases.end(next)
  expect(leases.holder("k")).toBe(undefined)
})

describe("law 11: messages about a key that is being looked up", () => {
  it("a change after the lookup began detaches it: later callers begin a new one", () => {
    const { begun, flights } = world()
    const flight = begun("k")
    flight.isLookingUp = true
    flights.hear("k", 5, false)
    expect(flights.at("k")).toBe(undefined)
    expect(flights.isDetached(flight)).toBe(true)
  })

  it("before that, the flight goes on, and remembers the highest version", () => {
    const { begun, flights } = world()
    const flight = begun("k")
    flights.hear("k", 5, false)
    flights.hear("k", 4, false)
    flights.hear("other", 9, false)
    expect(flights.at("k")).toBe(flight)
    expect(flight.heard).toBe(5)
  })

  it("a lookup under a lease began at its token: an older change, and its own commit, are no news", () => {
    const { begun, flights } = world()
    const flight = begun("k")
    flight.isLookingUp = true
    flight.lease = { token: 5, isFirst: true, stopRenewal: () => {} }
    flights.hear("k", 5, false)
    expect(flights.at("k")).toBe(flight)
    flights.hear("k", 6, false)
    expect(flights.isDetached(flight)).toBe(true)
  })

  it("an older flight of the key, which callers cannot join, hears too", () => {
    const { begun, flights } = world()
    const older = begun("k")
    const newer = begun("k")
    older.isLookingUp = true
    flights.hear("k", 5, false)
    expect(flights.isDetached(older)).toBe(true)
    expect(flights.isDetached(newer)).toBe(false)
    // A later message of an older version does not attach it again.
    flights.hear("k", 0, false)
    expect(flights.isDetached(older)).toBe(true)
  })
})
