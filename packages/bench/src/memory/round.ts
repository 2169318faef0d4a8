/** The process of one round: `node --expose-gc round.ts <case> <contender> [<entries> <draw>]` prints its figures as JSON. */
import { bytesPerEntry } from "./bytes.ts"
import { churn } from "./churn.ts"
import { contender, isContender } from "./contenders.ts"
import { draws, hits } from "./hits.ts"
import { keys } from "./keys.ts"
import { entries, freshKeys } from "./scale.ts"

const [caseName = "", name = "", count = "", drawName = ""] = process.argv.slice(2)
if (!isContender(name)) throw new Error(`there is no ${JSON.stringify(name)}`)
const { make } = contender(name)

const figures = async () => {
  if (caseName === "bytes") return bytesPerEntry(make, keys(entries))
  if (caseName === "churn") return churn(make, keys(entries), keys(freshKeys, entries))
  const draw = draws.find((known) => known === drawName)
  if (caseName !== "hits" || draw === undefined) {
    throw new Error(`no such round: ${process.argv.slice(2).join(" ")}`)
  }
  const room = Number(count)
  return hits(make(room), keys(room), draw)
}

process.stdout.write(JSON.stringify(await figures()))
