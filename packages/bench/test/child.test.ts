import { expect, it } from "vitest"
import { figuresOf, tell } from "../src/child.ts"

const script = new URL("./support/told.ts", import.meta.url)

it("a process tells its figures and ends, with the flags and the environment it is given", async () => {
  const how = { flags: ["--expose-gc"], env: { LARDER_BENCH_TOLD: "yes" } }
  await expect(figuresOf(script, ["hit"], how)).resolves.toEqual({
    what: "hit",
    flags: ["--expose-gc"],
    env: "yes",
  })
})

it("a process that ends before it has figures is named, with its exit status", async () => {
  await expect(figuresOf(script, ["nothing"])).rejects.toThrow(
    "nothing: ended with 7 before it had figures",
  )
})

it("a script that nobody forked says what it needs", () => {
  const send = process.send
  try {
    delete process.send
    expect(() => tell(1)).toThrow("it needs a process to tell")
  } finally {
    if (send !== undefined) process.send = send
  }
})
