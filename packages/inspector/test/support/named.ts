/** What an expression names, held against the catalogue of metrics. */
import { Metrics } from "@larder/core"

/** Labels that are not the larder's: the scraper's, a histogram's, and those of every metric. */
const everywhere = new Set(["larder", "instance"])

interface Matcher {
  readonly label: string
  readonly values: ReadonlyArray<string>
}

const matchersOf = (text: string): ReadonlyArray<Matcher> =>
  [...text.matchAll(/(\w+)(?:=~|!~|!=|=)"([^"]*)"/g)].map(([, label = "", value = ""]) => ({
    label,
    values: value.split("|"),
  }))

/** Each metric that is named, with its matchers; a recorded series has a colon in its name. */
const selectorsOf = (expr: string) =>
  [...expr.matchAll(/\b(larder[_:][\w:]*)(\{[^}]*\})?/g)].map(([, name = "", matchers = ""]) => ({
    name,
    matchers: matchersOf(matchers),
  }))

const definitionOf = (name: string): Metrics.MetricDefinition | undefined =>
  Metrics.catalogue.find(
    (metric) =>
      metric.name === name ||
      (metric.type === "histogram" && name.replace(/_(bucket|sum|count)$/, "") === metric.name),
  )

const labelProblem = (metric: Metrics.MetricDefinition, { label, values }: Matcher) => {
  if (everywhere.has(label)) return []
  if (label === "le") {
    const bounds = new Set(metric.buckets?.map(String))
    return values.filter((value) => !bounds.has(value)).map((value) => `${metric.name} le=${value}`)
  }
  const definition = metric.labels.find(({ name }) => name === label)
  if (definition === undefined) return [`${metric.name} has no label ${label}`]
  // An open label has further values, which only the stack of a larder knows.
  return values
    .filter((value) => !definition.values.includes(value))
    .map((value) => `${metric.name} has no ${label}=${value}`)
}

/** What of an expression is neither in the catalogue nor recorded. */
export const unknownIn = (expr: string, recorded: ReadonlySet<string>): ReadonlyArray<string> => {
  const selectors = selectorsOf(expr)
  const metrics = selectors.flatMap(({ name }) => definitionOf(name) ?? [])
  const known = new Set(metrics.flatMap(({ labels }) => labels.map(({ name }) => name)))
  const grouped = [...expr.matchAll(/\b(?:by|on|without|ignoring) \(([^)]*)\)/g)]
    .flatMap(([, names = ""]) => names.split(", "))
    .filter((label) => !everywhere.has(label) && label !== "le" && !known.has(label))
  return [
    ...selectors.flatMap(({ matchers, name }) => {
      if (recorded.has(name)) return []
      const metric = definitionOf(name)
      if (metric === undefined) return [`no metric ${name}`]
      return matchers.flatMap((matcher) => labelProblem(metric, matcher))
    }),
    ...grouped.map((label) => `no label ${label} to group by`),
  ]
}
