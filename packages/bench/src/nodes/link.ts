/** A connection to a server that can be silent, as a network is that loses all packets. */
import * as net from "node:net"

export interface Link {
  readonly port: number
  /** With `false` no data passes in any direction, and no connection ends. */
  readonly open: (open: boolean) => void
  readonly close: () => void
}

/** Forwards connections to the server on this port of the machine. */
export const start = (to: number): Promise<Link> => {
  let isOpen = true
  const sockets = new Set<net.Socket>()
  const joined = (one: net.Socket, other: net.Socket): void => {
    sockets.add(one)
    one.setNoDelay(true)
    one.on("data", (chunk: Buffer) => other.write(chunk))
    one.on("error", () => other.destroy())
    one.on("close", () => {
      sockets.delete(one)
      other.destroy()
    })
    if (!isOpen) one.pause()
  }
  const server = net.createServer((near) => {
    const far = net.connect({ host: "127.0.0.1", port: to })
    joined(near, far)
    joined(far, near)
  })
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () =>
      resolve({
        port: (server.address() as net.AddressInfo).port,
        open: (open) => {
          isOpen = open
          for (const socket of sockets)
            if (open) socket.resume()
            else socket.pause()
        },
        close: () => {
          server.close()
          for (const socket of sockets) socket.destroy()
        },
      }),
    )
  })
}
