/** Tells connections that subscribe from those that send commands, by what the client sends. */

export type Kind = "subscriptions" | "commands"

/** Sent on connections of both kinds, before anything else or to keep them alive. */
const common = new Set([
  "auth",
  "client",
  "cluster",
  "command",
  "hello",
  "info",
  "ping",
  "readonly",
  "select",
])

/** The names of the commands that begin in this part of a request, in lower case. */
const commandsIn = (chunk: Buffer): ReadonlyArray<string> =>
  Array.from(chunk.toString("latin1").matchAll(/\*\d+\r\n\$\d+\r\n([a-z]+)\r\n/gi), ([, name]) =>
    name!.toLowerCase(),
  )

/** Undefined while the client has sent nothing that shows it. */
export const kindOf = (chunk: Buffer): Kind | undefined => {
  const names = commandsIn(chunk)
  if (names.some((name) => /^[ps]?subscribe$/.test(name))) return "subscriptions"
  return names.some((name) => !common.has(name)) ? "commands" : undefined
}
