import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { afterAll, expect, it } from "vitest"
import { UsageError } from "../../src/command.ts"
import { read } from "../../src/traces/read.ts"

const folder = mkdtempSync(join(tmpdir(), "larder-traces-"))
afterAll(() => rmSync(folder, { recursive: true }))

const written = (name: string, bytes: string | Buffer): string => {
  const file = join(folder, name)
  writeFileSync(file, bytes)
  return file
}

const text = "b\n__proto__\nb\n7\n07\nb\n"

it("a trace holds each different key once, in the order of first appearance", async () => {
  const expected = {
    keys: ["b", "__proto__", "7", "07"],
    requests: Uint32Array.of(0, 1, 0, 2, 3, 0),
  }
  expect(await read(written("plain.txt", text))).toEqual(expected)
  expect(await read(written("packed.gz", gzipSync(text)))).toEqual(expected)
})

it("a trace longer than the room it begins with is whole", async () => {
  const keys = Array.from({ length: 5_000 }, (_, request) => String(request % 1_700))
  const { keys: different, requests } = await read(written("long.txt", keys.join("\n")))
  expect(Array.from(requests, (key) => different[key])).toEqual(keys)
})

it("a file that cannot be read or has no keys is named", async () => {
  await expect(read(join(folder, "absent.txt"))).rejects.toThrow(
    new UsageError(
      `cannot read the trace ${folder}/absent.txt: ENOENT: no such file or directory, open '${folder}/absent.txt'`,
    ),
  )
  await expect(read(written("not-packed.gz", text))).rejects.toThrow(
    /not-packed\.gz: incorrect header/,
  )
  await expect(read(written("empty.txt", "\n\n"))).rejects.toThrow(
    /empty\.txt is empty: give a file with one key per line/,
  )
})
