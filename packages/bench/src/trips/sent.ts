/** What a client sends, as it sends it. */

interface Command {
  readonly name: string
  readonly promise: Promise<unknown>
}

/** The part of an ioredis client that everything it sends goes through. */
export interface Sender {
  sendCommand(command: Command, stream?: never): unknown
}

/** Commands in the order they were sent, and the trips they took. */
export interface Sent {
  readonly commands: ReadonlyArray<string>
  /** What is sent before anything of a trip is answered belongs to it. */
  readonly trips: number
}

export interface Recorder {
  /** How many commands were sent since `take`. */
  readonly count: () => number
  /** What was sent since it was taken last. */
  readonly take: () => Sent
}

/** About the connection, whatever is asked of a cache. */
export const ofTheConnection: ReadonlySet<string> = new Set([
  "auth",
  "client",
  "hello",
  "info",
  "ping",
  "quit",
  "select",
])

export const recorded = (client: Sender): Recorder => {
  const commands: Array<string> = []
  let trips = 0
  let underway = false
  const answered = (): void => {
    underway = false
  }
  const send = client.sendCommand.bind(client)
  client.sendCommand = (command, stream) => {
    if (!ofTheConnection.has(command.name)) {
      commands.push(command.name)
      if (!underway) trips++
      underway = true
      command.promise.then(answered, answered)
    }
    return send(command, stream)
  }
  const take = (): Sent => {
    const sent = { commands: commands.splice(0), trips }
    trips = 0
    return sent
  }
  return { count: () => commands.length, take }
}
