import { expect, it } from "vitest"
import { UsageError } from "../../src/command.ts"
import { checkNames } from "../../src/guard/checks.ts"
import { options } from "../../src/guard/options.ts"

it("without words every check is meant, with words those, each once", () => {
  expect(options([])).toEqual(checkNames)
  expect(options(["miss", "hit", "miss"])).toEqual(["miss", "hit"])
  expect(options(["--help"])).toBe("help")
})

it("a word that is no check is named, with those that are", () => {
  expect(() => options(["hits"])).toThrow(UsageError)
  expect(() => options(["hits"])).toThrow('there is no check "hits": give one of hit, hitByPromise')
})
