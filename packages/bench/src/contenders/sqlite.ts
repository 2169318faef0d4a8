/** No cache library at all: SELECT and JSON.parse on node:sqlite. */
import { DatabaseSync } from "node:sqlite"
import type { Product } from "../source.ts"
import { lookup, promised } from "./promised.ts"
import { fileFor } from "./temporary.ts"

export const contender = promised(async ({ source }) => {
  const database = new DatabaseSync(fileFor("raw.db"))
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
  database.exec("CREATE TABLE kept (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
  const one = database.prepare("SELECT value FROM kept WHERE key = ?")
  const keep = database.prepare("INSERT OR REPLACE INTO kept VALUES (?, ?)")
  const some = database.prepare(
    "SELECT key, value FROM kept WHERE key IN (SELECT value FROM json_each(?))",
  )
  const load = lookup(source)
  return {
    get: async (key): Promise<Product> => {
      const found = one.get(key)
      if (found !== undefined) return JSON.parse(String(found["value"]))
      const product = await load(key)
      keep.run(key, JSON.stringify(product))
      return product
    },
    getMany: async (keys) => {
      const found = new Map(
        some.all(JSON.stringify(keys)).map(({ key, value }) => [key, String(value)]),
      )
      return keys.map((key): Product => JSON.parse(found.get(key)!))
    },
  }
})
