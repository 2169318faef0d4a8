import { expect, it } from "vitest"
import { UsageError } from "../../src/command.ts"
import { generated } from "../../src/traces/generated.ts"
import { options } from "../../src/traces/options.ts"
import { bundledSources, fileSource, sizesFor } from "../../src/traces/sources.ts"

const names = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const chosen = options(args)
  return chosen === "help" ? [] : chosen.sources.map(({ name }) => name)
}

const bundled = bundledSources.map(({ name }) => name)
const drawn = generated.map(({ name }) => name)

it("files alone, generated traces alone, or both; all that there is without either", () => {
  expect(names([])).toEqual([...bundled, ...drawn])
  expect(names(["--generated"])).toEqual(drawn)
  expect(names(["a/b.txt.gz", "c.trace"])).toEqual(["b", "c"])
  expect(names(["a/b.txt.gz", "--generated"])).toEqual(["b", ...drawn])
})

it("a bundled trace is recognised by its path and has its sizes and figures", () => {
  const source = fileSource(new URL("../../traces/web12.txt.gz", import.meta.url).pathname)
  expect(source.sizes(13_756)).toEqual([300, 1_200, 3_000])
  expect(source.reference.get(1_200)).toBe(70.73)
  expect(fileSource("elsewhere/web12.txt.gz").reference.size).toBe(0)
})

it("sizes of other traces are shares of their keys, each once and none of nothing", () => {
  expect(sizesFor(1_000)).toEqual([20, 80, 250, 750])
  expect(sizesFor(3)).toEqual([1, 2])
  expect(sizesFor(1)).toEqual([1])
})

it("sizes and seeds are read, and what is none is named", () => {
  expect(options(["--sizes", "10, 20,10", "--seed", "7"])).toMatchObject({
    sizes: [10, 20],
    seed: 7,
  })
  expect(options([])).toMatchObject({ sizes: undefined, seed: 1, json: undefined })
  expect(options(["--help"])).toBe("help")
  for (const wrong of ["0", "1.5", "-3", "ten", "10,,20", ""]) {
    expect(() => options([`--sizes=${wrong}`])).toThrow(UsageError)
  }
  expect(() => options(["--sizes", "10,x"])).toThrow('--sizes 10,x: "x" is no size; give whole')
  expect(() => options(["--seed", "x"])).toThrow("--seed x: give a whole number from 0")
  expect(() => options(["--size", "3"])).toThrow(UsageError)
})
