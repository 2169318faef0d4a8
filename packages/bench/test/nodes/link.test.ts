import * as net from "node:net"
import { expect, it } from "vitest"
import * as Link from "../../src/nodes/link.ts"

it("a silent link keeps its connections and delivers later what was sent meanwhile", async () => {
  const server = net.createServer((socket) => socket.pipe(socket))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const link = await Link.start((server.address() as net.AddressInfo).port)
  const socket = net.connect({ host: "127.0.0.1", port: link.port })
  const received = (text: string) =>
    new Promise<void>((resolve) => {
      let all = ""
      const hear = (chunk: Buffer) => {
        all += chunk.toString()
        if (all !== text) return
        socket.off("data", hear)
        resolve()
      }
      socket.on("data", hear)
    })
  try {
    const first = received("first")
    socket.write("first")
    await first
    link.open(false)
    let isThere = false
    const second = received("second").then(() => {
      isThere = true
    })
    socket.write("second")
    // Long enough for a trip through an open link.
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(isThere).toBe(false)
    link.open(true)
    await second
  } finally {
    socket.destroy()
    link.close()
    server.close()
  }
})
