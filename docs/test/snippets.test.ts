/** Every ```ts block of the guides and of the docstrings compiles, and runs unless it says `no-run`. */
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import * as PostgresServer from "@larder/testing/PostgresServer"
import * as PrometheusServer from "@larder/testing/PrometheusServer"
import * as RedisServer from "@larder/testing/RedisServer"
import { Effect } from "effect"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { tsc } from "../../packages/core/test/support/compiled.ts"
import type { Extracted, Snippet } from "./snippets.ts"
import {
  extract,
  moduleOf,
  moduleText,
  needsPrometheus,
  placeOf,
  registersTests,
  startsPostgres,
  startsRedis,
} from "./snippets.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const sources = [
  "README.md",
  "docs/**/*.md",
  "packages/*/README.md",
  "examples/*/README.md",
  "packages/*/src/**/*.ts",
]

const extracted = new Map<string, Extracted>(
  // The blocks of the API reference are those of the docstrings.
  globSync(sources, { cwd: root, exclude: ["docs/api/**"] })
    .toSorted()
    .map((file) => [file, extract(file, readFileSync(join(root, file), "utf8"))]),
)
const snippets = [...extracted.values()].flatMap((each) => each.snippets)
const problems = [...extracted.values()].flatMap((each) => each.problems)

const hasRedis = (await Effect.runPromise(RedisServer.find)) !== undefined
const hasPostgres = (await Effect.runPromise(PostgresServer.find)) !== undefined
const hasPrometheus = (await Effect.runPromise(PrometheusServer.find)) !== undefined

// Inside the workspace, where imports find its packages; a folder per run, as two may run at once.
mkdirSync(join(root, "docs/.snippets"), { recursive: true })
const folder = mkdtempSync(join(root, "docs/.snippets/run-"))
for (const snippet of snippets) writeFileSync(moduleOf(folder, snippet), moduleText(snippet))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The compiler's complaints, in lines of the files the snippets come from. */
const compile = async (): Promise<ReadonlyArray<string>> => {
  const config = {
    extends: "../../../tsconfig.json",
    // An example may declare what it only shows.
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
    include: ["*.ts"],
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
  const output = (await tsc("-p", folder, "--pretty", "false")).trimEnd()
  return output.split(/\n(?=\S)/).flatMap((complaint) => {
    if (complaint.trim() === "") return []
    const [, file, line, column, message] = /^(.+?)\((\d+),(\d+)\): ([^]*)$/.exec(complaint) ?? []
    const snippet = snippets.find((each) => file?.endsWith(moduleOf("", each)))
    if (snippet === undefined) return [complaint]
    return [`${placeOf(snippet, Number(line), Number(column))} ${message}`]
  })
}

/** Runs the snippet's module; a failure begins with the place it came from. */
const execute = async (snippet: Snippet): Promise<void> => {
  const path = moduleOf(folder, snippet)
  try {
    await import(pathToFileURL(path).href)
  } catch (cause) {
    const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
    const [, line, column] = text.split(`${moduleOf("", snippet)}:`)[1]?.match(/^(\d+):(\d+)/) ?? []
    const place = placeOf(snippet, Number(line ?? snippet.line), Number(column ?? 1))
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`${place} ${message}`, { cause })
  }
}

describe("extraction", () => {
  const guide = ["text", "```ts", "const a = 1", "```", "", "  ```ts no-run", "  f()", "  ```"]

  it("finds the blocks of a guide, with their lines", () => {
    expect(extract("a.md", guide.join("\n"))).toEqual({
      snippets: [
        { file: "a.md", line: 3, indent: 0, code: "const a = 1", run: true },
        { file: "a.md", line: 7, indent: 2, code: "f()", run: false },
      ],
      problems: [],
    })
  })

  it("finds the blocks of a docstring", () => {
    const source = ["/**", " * ```ts", " * f(", " *", " * )", " * ```", " */", "const f = 1"]
    expect(extract("a.ts", source.join("\n")).snippets).toEqual([
      { file: "a.ts", line: 3, indent: 3, code: "f(\n\n)", run: true },
    ])
  })

  it("leaves other languages alone", () => {
    expect(extract("a.md", "```sh\nls\n```\n```text\nx\n```")).toEqual({
      snippets: [],
      problems: [],
    })
  })

  it.each([
    ["another name of the language", "```typescript\nf()\n```"],
    ["JavaScript", "```js\nf()\n```"],
    ["a word it does not know", "```ts norun\nf()\n```"],
    ["a block without an end", "```ts\nf()"],
  ])("refuses %s", (_, text) => {
    expect(extract("a.md", text).problems).toMatchObject([{ file: "a.md", line: 1 }])
  })

  it("keeps the lines of a block in its module", () => {
    const [snippet] = extract("a.md", guide.join("\n")).snippets
    expect(moduleText(snippet!).split("\n").indexOf("const a = 1")).toBe(2)
  })
})

describe("all blocks", () => {
  it("there are some", () => {
    expect(snippets).not.toEqual([])
  })

  it("none escapes the checks", () => {
    expect(problems).toEqual([])
  })
})

describe("each block", () => {
  let complaints: ReadonlyArray<string> = []
  beforeAll(async () => {
    complaints = await compile()
  }, 60_000)

  it("the compiler complains of nothing but blocks", () => {
    const files = [...extracted.keys()]
    const others = complaints.filter((each) => !files.some((file) => each.startsWith(`${file}:`)))
    expect(others).toEqual([])
  })

  for (const [file, { snippets: own }] of extracted) {
    if (own.length === 0) continue
    describe(file, () => {
      it("compiles", () => {
        expect(complaints.filter((each) => each.startsWith(`${file}:`))).toEqual([])
      })
      for (const snippet of own.filter((each) => each.run)) {
        const title = `${file}:${snippet.line} runs`
        if (!registersTests(snippet)) {
          // Without a server on this machine the suites of Redis are skipped as well.
          const skip =
            (startsRedis(snippet) && !hasRedis) ||
            (startsPostgres(snippet) && !hasPostgres) ||
            (needsPrometheus(snippet) && !hasPrometheus)
          it(title, { skip, timeout: 60_000 }, () => silently(() => execute(snippet)))
          continue
        }
        describe(title, async () => {
          const failure = await execute(snippet).then(
            () => undefined,
            (error: unknown) => error,
          )
          it("collects its tests", () => {
            expect(failure).toBeUndefined()
          })
        })
      }
    })
  }
})

/** What examples print is not part of a test's output. */
const silently = async (run: () => Promise<void>): Promise<void> => {
  const log = vi.spyOn(console, "log").mockReturnValue(undefined)
  try {
    await run()
  } finally {
    log.mockRestore()
  }
}
