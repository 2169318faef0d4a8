/**
 * The ACL lines of docs/redis.md, from the lists that the tier checks a server against
 * when it starts, and from those of the backplane and of the outboxes; the tests of
 * packages/redis/test/internal take each right away. Run it
 * with `node docs/scripts/redis-rights.ts` after a change of those lists.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as backplane from "../../packages/redis/src/internal/backplaneRights.ts"
import * as outbox from "../../packages/redis/src/internal/outboxRights.ts"
import { best, rules } from "../../packages/redis/src/internal/tier/rights.ts"

const page = fileURLToPath(new URL("../redis.md", import.meta.url))
const begin = "<!-- rights: made by docs/scripts/redis-rights.ts -->"
const end = "<!-- end of rights -->"

const line = (comment: string, needs: Parameters<typeof best>[0]): string =>
  `# ${comment}\nACL SETUSER shop on >password ${rules("shop", best(needs))}`

/** The lines in Markdown. */
export const lines: string = [
  "```text",
  line("one server, or Sentinel", { isCluster: false }),
  "",
  line("a Cluster, on each node", { isCluster: true }),
  "",
  "# for RedisBackplane alone: one server, or Sentinel",
  `ACL SETUSER shop on >password ${backplane.rules("shop", false)}`,
  "",
  "# for RedisBackplane alone: a Cluster, on each node",
  `ACL SETUSER shop on >password ${backplane.rules("shop", true)}`,
  "",
  "# for RedisOutbox alone: one server, or Sentinel",
  `ACL SETUSER shop on >password ${outbox.rules("shop", false)}`,
  "",
  "# for RedisOutbox alone: a Cluster, on each node",
  `ACL SETUSER shop on >password ${outbox.rules("shop", true)}`,
  "```",
].join("\n")

/** The page with these lines in the place of its own. */
export const withLines = (text: string): string => {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`the page has no place for the rights: ${begin}`)
  return `${text.slice(0, from)}${begin}\n\n${lines}\n\n${text.slice(to)}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(page, withLines(readFileSync(page, "utf8")))
}
