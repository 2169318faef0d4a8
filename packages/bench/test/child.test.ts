import { expect, it } from "vitest"
import { figuresOf, runRounds } from "../src/child.ts"

const module = new URL("./support/told.ts", import.meta.url).href

it("a process tells its figures and ends, with the arguments and the flags it is given", async () => {
  await expect(figuresOf(module, ["hit"], ["--expose-gc"])).resolves.toEqual({
    what: "hit",
    flags: ["--expose-gc"],
  })
})

it("a process that ends before it has figures is named, with its exit status", async () => {
  await expect(figuresOf(module, ["nothing"])).rejects.toThrow(
    "nothing: ended with 7 before it had figures",
  )
})

it("contenders run in turn, round by round, and each keeps its own figures", async () => {
  const ran: Array<string> = []
  const rounds = await runRounds("hit", ["larder", "effect"], 2, async (name) => ran.push(name))
  expect(ran).toEqual(["larder", "effect", "larder", "effect"])
  expect([...rounds]).toEqual([
    ["larder", [1, 3]],
    ["effect", [2, 4]],
  ])
})
