/** The code blocks of guides and docstrings, as modules that can be checked and run. */
import { join } from "node:path"

/** A ```ts block. `line` is where its code begins in `file`, `indent` what stood before each line of it. */
export interface Snippet {
  readonly file: string
  readonly line: number
  readonly indent: number
  readonly code: string
  readonly run: boolean
}

/** A block that would escape the checks. */
export interface Problem {
  readonly file: string
  readonly line: number
  readonly reason: string
}

export interface Extracted {
  readonly snippets: ReadonlyArray<Snippet>
  readonly problems: ReadonlyArray<Problem>
}

interface Fence {
  readonly prefix: string
  readonly ticks: string
  readonly info: ReadonlyArray<string>
  readonly line: number
}

const fenceInGuide = /^(\s*)(`{3,})\s*([^`]*)$/
const fenceInDocstring = /^(\s*\* ?)(`{3,})\s*([^`]*)$/

const otherNames = new Set(["typescript", "mts", "tsx", "js", "javascript", "mjs", "jsx"])

/** All ```ts blocks of a guide (`.md`) or of the docstrings of a source (`.ts`). */
export const extract = (file: string, text: string): Extracted => {
  const pattern = file.endsWith(".md") ? fenceInGuide : fenceInDocstring
  const snippets: Array<Snippet> = []
  const problems: Array<Problem> = []
  const lines = text.split("\n")
  let open: Fence | undefined
  lines.forEach((content, index) => {
    const match = pattern.exec(content)
    if (match === null) return
    const [, prefix = "", ticks = "", info = ""] = match
    if (open === undefined) {
      open = { prefix, ticks, info: info.trim().split(/\s+/), line: index + 1 }
      return
    }
    if (info.trim() !== "" || ticks.length < open.ticks.length) return
    const reason = refusal(open)
    if (reason !== undefined) problems.push({ file, line: open.line, reason })
    else if (open.info[0] === "ts")
      snippets.push(toSnippet(file, open, lines.slice(open.line, index)))
    open = undefined
  })
  if (open !== undefined)
    problems.push({ file, line: open.line, reason: "the block is never closed" })
  return { snippets, problems }
}

const refusal = ({ info: [language = "", ...words] }: Fence): string | undefined => {
  if (otherNames.has(language))
    return `write \`ts\`, not \`${language}\`, so that the block is checked`
  if (language !== "ts") return undefined
  const unknown = words.filter((word) => word !== "no-run")
  return unknown.length === 0 ? undefined : `\`${unknown.join(" ")}\` means nothing after \`ts\``
}

const toSnippet = (file: string, fence: Fence, lines: ReadonlyArray<string>): Snippet => ({
  file,
  line: fence.line + 1,
  indent: fence.prefix.length,
  code: lines.map((line) => line.slice(fence.prefix.length)).join("\n"),
  run: !fence.info.includes("no-run"),
})

/** Where the snippet's module goes: names are unique, since a line begins one block. */
export const moduleOf = (folder: string, { file, line }: Snippet): string =>
  join(folder, `${file.replaceAll(/[^A-Za-z0-9]/g, "_")}_${line}.ts`)

/** The module's text: its code stands on the lines it has in its file, so that errors name those. */
export const moduleText = ({ code, line }: Snippet): string =>
  `${"\n".repeat(line - 1)}${code}\nexport {}\n`

/** A module that registers tests is run by collecting it, any other by importing it in a test. */
export const registersTests = ({ code }: Snippet): boolean =>
  /\bfrom "(@effect\/)?vitest"|\b(Tier|Backplane|Outbox)Conformance\.suite\(/.test(code)

/** Whether the snippet starts Redis servers, for which a program must be installed. */
export const startsRedis = ({ code }: Snippet): boolean =>
  code.includes(`"@larder/testing/RedisServer"`)

/** Whether the snippet starts Postgres servers. */
export const startsPostgres = ({ code }: Snippet): boolean =>
  code.includes(`"@larder/testing/PostgresServer"`)

/** Whether the snippet needs the programs of Prometheus. */
export const needsPrometheus = ({ code }: Snippet): boolean =>
  code.includes(`"@larder/testing/PrometheusServer"`)

/** `file:line:column` for a place in the snippet's module. */
export const placeOf = ({ file, indent }: Snippet, line: number, column: number): string =>
  `${file}:${line}:${column + indent}`
