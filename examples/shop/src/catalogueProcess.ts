/** Starts the catalogue in a process of its own, and ends it with the scope. */
import { fileURLToPath } from "node:url"
import { Duration, Effect, Option, Schema, type Scope, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { ChildProcess, type ChildProcessSpawner } from "effect/process"
import { PhaseChange } from "./catalogue.ts"
import type { Phase } from "./phases.ts"

export class CatalogueNotReady extends Schema.TaggedError<CatalogueNotReady>()(
  "CatalogueNotReady",
  { reason: Schema.String },
) {
  override get message(): string {
    return `The catalogue's process cannot be used: ${this.reason}`
  }
}

export interface CatalogueProcess {
  readonly url: string
  readonly enter: (phase: Phase) => Effect.Effect<void, CatalogueNotReady, HttpClient.HttpClient>
}

const notReady = (cause: unknown) => new CatalogueNotReady({ reason: String(cause) })

export const start = Effect.fnUntraced(function* (
  seed: number,
): Effect.fn.Return<
  CatalogueProcess,
  CatalogueNotReady,
  ChildProcessSpawner.ChildProcessSpawner | Scope.Scope
> {
  const main = fileURLToPath(new URL("./catalogueMain.ts", import.meta.url))
  const child = yield* ChildProcess.make(process.execPath, [main, String(seed)], {
    stderr: "inherit",
    forceKillAfter: Duration.seconds(1),
  }).pipe(Effect.mapError(notReady))
  const address = yield* child.stdout.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runHead,
    Effect.mapError(notReady),
    Effect.timeoutOrElse({
      duration: "10 seconds",
      orElse: () => Effect.fail(notReady("it did not say its address within 10 seconds")),
    }),
  )
  if (Option.isNone(address)) return yield* notReady("it ended before it said its address")
  const url = address.value
  return {
    url,
    enter: (phase) =>
      HttpClientRequest.post(`${url}/admin/phase`).pipe(
        HttpClientRequest.schemaBodyJson(PhaseChange)({ phase }),
        Effect.flatMap(HttpClient.execute),
        Effect.flatMap((response) =>
          response.status === 204
            ? Effect.void
            : Effect.fail(`status ${response.status} for the change to "${phase}"`),
        ),
        Effect.timeout("5 seconds"),
        Effect.mapError(notReady),
      ),
  }
})
