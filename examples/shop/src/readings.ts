/** What the pages of metrics of one run say: the last totals of all nodes, and the highest gauges. */

/** The labels that a series must have. */
export type Labels = Readonly<Record<string, string>>

interface Sample {
  readonly metric: string
  readonly labels: Labels
  readonly value: number
}

/** The samples of a page in Prometheus's text format. */
export const parse = (page: string): ReadonlyArray<Sample> =>
  page.split("\n").flatMap((line) => {
    const [, metric, labels = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (metric === undefined || value === undefined) return []
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
    return [
      {
        metric,
        labels: Object.fromEntries(pairs.map(([, name = "", text = ""]) => [name, text])),
        value: Number(value.replace("Inf", "Infinity")),
      },
    ]
  })

const has = (of: Labels, labels: Labels): boolean =>
  Object.entries(labels).every(([name, value]) => of[name] === value)

const seriesOf = ({ labels, metric }: Sample): string => `${metric} ${JSON.stringify(labels)}`

export class Readings {
  readonly #last = new Map<string, ReadonlyArray<Sample>>()
  readonly #highest = new Map<string, Sample>()

  /** Takes in the page of a node. */
  add(node: string, page: string): void {
    const samples = parse(page)
    this.#last.set(node, samples)
    for (const sample of samples) {
      const series = seriesOf(sample)
      const before = this.#highest.get(series)
      if (before === undefined || sample.value > before.value) this.#highest.set(series, sample)
    }
  }

  #samples(metric: string, labels: Labels): ReadonlyArray<Sample> {
    return [...this.#last.values()].flatMap((samples) =>
      samples.filter((sample) => sample.metric === metric && has(sample.labels, labels)),
    )
  }

  /** Whether any node has the metric. */
  knows(metric: string): boolean {
    return [...this.#highest.values()].some((sample) => sample.metric === metric)
  }

  /** A counter at the end, added up over the nodes and whatever labels are not given. */
  total(metric: string, labels: Labels = {}): number {
    return this.#samples(metric, labels).reduce((sum, { value }) => sum + value, 0)
  }

  /** A counter at the end, by the values of a label; without those that are 0. */
  by(metric: string, label: string, labels: Labels = {}): ReadonlyMap<string, number> {
    const totals = new Map<string, number>()
    for (const { labels: of, value } of this.#samples(metric, labels)) {
      const key = of[label]
      if (key !== undefined && value > 0) totals.set(key, (totals.get(key) ?? 0) + value)
    }
    return totals
  }

  /** The highest value of a gauge in any node, at any reading. */
  highest(metric: string, labels: Labels = {}): number {
    const values = [...this.#highest.values()].flatMap((sample) =>
      sample.metric === metric && has(sample.labels, labels) ? [sample.value] : [],
    )
    return Math.max(0, ...values)
  }

  /**
   * The bound of the bucket in which a quantile of a histogram is; undefined without observations, and
   * `Infinity` beyond the last bound.
   */
  quantile(metric: string, q: number, labels: Labels = {}): number | undefined {
    const buckets = [...this.by(`${metric}_bucket`, "le", labels)]
      .map(([le, count]) => [le === "+Inf" ? Infinity : Number(le), count] as const)
      .toSorted(([a], [b]) => a - b)
    const rank = q * (buckets.at(-1)?.[1] ?? 0)
    return buckets.find(([, count]) => count >= rank)?.[0]
  }

  /** The values of a label of a metric that some node has. */
  valuesOf(metric: string, label: string): ReadonlyArray<string> {
    const values = [...this.#highest.values()].flatMap((sample) =>
      sample.metric === metric ? (sample.labels[label] ?? []) : [],
    )
    return [...new Set(values)]
  }
}
