/** Starts the processes of services, and talks to them. They end with the scope. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Data, Deferred, Effect, Option, Schema } from "effect"
import * as Protocol from "./protocol.ts"
import type { Sighting } from "./sighting.ts"

export class ProcessFailed extends Data.TaggedError("ProcessFailed")<{
  readonly who: string
  readonly why: string
}> {
  override get message(): string {
    return `The process ${this.who} ${this.why}`
  }
}

/** How a change ended that the owner was asked for. */
export type Answer = Extract<Protocol.Said, { readonly _tag: "Changed" | "Overtaken" }>

const decode = Schema.decodeUnknownOption(Schema.toCodecJson(Protocol.Said))

interface Service {
  /** Ends where the process does. It must not, before its scope does. */
  readonly failed: Effect.Effect<never, ProcessFailed>
  readonly send: (asked: Protocol.Asked) => void
}

/** Starts a process, and waits until it says that it is ready. */
const start = (who: string, file: string, argument: object, heard: (said: Protocol.Said) => void) =>
  Effect.gen(function* () {
    const ready = yield* Deferred.make<void, ProcessFailed>()
    const ended = yield* Deferred.make<never, ProcessFailed>()
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const program = fileURLToPath(new URL(file, import.meta.url))
        return fork(program, [JSON.stringify(argument)], {
          stdio: ["ignore", "inherit", "inherit", "ipc"],
        })
      }),
      (child) =>
        Effect.sync(() => {
          child.removeAllListeners()
          child.kill("SIGKILL")
        }),
    )
    child.on("message", (message) => {
      const said = decode(message)
      if (Option.isNone(said)) return
      if (said.value._tag === "Ready") Deferred.doneUnsafe(ready, Effect.void)
      heard(said.value)
    })
    child.on("exit", (code, signal) => {
      const failure = Effect.fail(
        new ProcessFailed({ who, why: `ended with ${code ?? signal}; its output is above` }),
      )
      Deferred.doneUnsafe(ready, failure)
      Deferred.doneUnsafe(ended, failure)
    })
    yield* Deferred.await(ready)
    const service: Service = {
      failed: Deferred.await(ended),
      send: (asked) => void child.send(asked),
    }
    return service
  })

const noting = (saw: (sighting: Sighting) => void) => (said: Protocol.Said) => {
  if (said._tag === "Saw") saw(said.sighting)
}

export const follower = (
  begin: typeof Protocol.FollowerBegin.Type,
  saw: (sighting: Sighting) => void,
) => start(begin.who, "./followerMain.ts", begin, noting(saw))

export interface Owner extends Pick<Service, "failed"> {
  /** Lets it open its tiers and its database, and look up what it sells. */
  readonly open: Effect.Effect<void>
  /** Waits until the owner says how the change ended. */
  readonly change: (
    wanted: Omit<Protocol.Change, "_tag" | "ticket">,
  ) => Effect.Effect<Answer, ProcessFailed>
}

const answered = (
  who: string,
  said: Answer | Extract<Protocol.Said, { readonly _tag: "Failed" }>,
) =>
  said._tag === "Failed"
    ? Effect.fail(new ProcessFailed({ who, why: `could not change a price: ${said.why}` }))
    : Effect.succeed(said)

export const owner = (begin: Protocol.OwnerBegin, saw: (sighting: Sighting) => void) =>
  Effect.gen(function* () {
    const waiting = new Map<number, Deferred.Deferred<Answer, ProcessFailed>>()
    const note = noting(saw)
    let tickets = 0
    const { failed, send } = yield* start(begin.who, "./ownerMain.ts", begin, (said) => {
      if (said._tag === "Ready" || said._tag === "Saw") return note(said)
      const asked = waiting.get(said.ticket)
      waiting.delete(said.ticket)
      if (asked !== undefined) Deferred.doneUnsafe(asked, answered(begin.who, said))
    })
    const change: Owner["change"] = (wanted) =>
      Effect.gen(function* () {
        const answer = yield* Deferred.make<Answer, ProcessFailed>()
        const ticket = (tickets += 1)
        waiting.set(ticket, answer)
        send({ _tag: "Change", ...wanted, ticket })
        return yield* Deferred.await(answer)
      })
    const open = Effect.sync(() => send({ _tag: "Open" }))
    return { change, failed, open } satisfies Owner
  })
