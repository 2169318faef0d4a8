/** The rooms of a package stand on floors: each imports only from lower ones, as the lint rules say. */
import { globSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { check, root } from "./support/linted.ts"

const roomsOf = (folder: string) => [
  ...new Set(
    globSync("*/**/*.ts", { cwd: join(root, folder) }).map((path) => path.split(/[\\/]/)[0] ?? ""),
  ),
]

/** A file in each room for each other room, which it imports. */
const crossings = (folder: string, rooms: ReadonlyArray<string>) =>
  rooms.flatMap((from) =>
    rooms
      .filter((to) => to !== from)
      .map((to) => ({ from, to, file: `${folder}/${from}/to-${to}.ts` })),
  )

describe.each(["packages/core/src/internal", "packages/redis/src/internal"])("%s", (folder) => {
  const rooms = roomsOf(folder)
  const all = crossings(folder, rooms)
  const allowed = async () => {
    const text = (to: string) => `export * from "../${to}/something.ts"\n`
    const found = await check(new Map(all.map(({ file, to }) => [file, text(to)])))
    const refused = new Set(found.map(({ file }) => file))
    return all.filter(({ file }) => !refused.has(file))
  }

  it("has rooms, and none of them can be part of a circle", async () => {
    expect(rooms.length).toBeGreaterThan(3)
    const ways = await allowed()
    let left = [...rooms]
    for (;;) {
      // Those that may import none of the rooms that are left are the lowest floor.
      const lowest = left.filter(
        (room) => !ways.some(({ from, to }) => from === room && left.includes(to)),
      )
      if (lowest.length === 0) break
      left = left.filter((room) => !lowest.includes(room))
    }
    expect(left).toEqual([])
    expect(ways.length).toBeGreaterThan(0)
  })

  it("says in its README what is in each room", async () => {
    const readme = await readFile(join(root, folder, "README.md"), "utf8")
    const told = [...readme.matchAll(/^\| `(\w+)\/`/gm)].map(([, room]) => room)
    expect(told.toSorted()).toEqual(rooms.toSorted())
  })
})
