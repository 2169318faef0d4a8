/** Reports as a run would write them, from medians. */
import { cases } from "../../src/cases.ts"
import type { Report } from "../../src/results.ts"
import type { Line, Result } from "../../src/result.ts"

const environment = {
  node: "v24.1.0",
  cpu: "A <fast> CPU",
  cores: 2,
  load: 0.5,
  versions: { effect: "4.1.0", "lru-cache": "11.5.3" },
}

export const line = (contender: Line["contender"], median: number, p99: number): Line => {
  const summary = { samples: 9, median, p99, min: median }
  return { contender, summary }
}

/** The first of the others is the baseline. */
export const result = (
  name: string,
  larder: Line,
  [baseline, ...peers]: readonly [Line, ...ReadonlyArray<Line>],
): Result => {
  const { title, unit, variants } = cases.find((bench) => bench.name === name)!
  const compared = [larder, ...peers].map((own) => {
    const ratio = own.summary.median / baseline.summary.median
    return { ...own, comparison: { ratio, byMin: ratio, lowest: ratio, highest: ratio } }
  })
  return {
    case: name,
    title,
    variant: variants[0]!.name,
    unit,
    lines: [...compared, baseline],
    verdicts: [
      { contender: larder.contender, than: baseline.contender, goal: 1, ratio: 1, met: true },
    ],
  }
}

export const report = (result: Result): Report => ({
  environment,
  options: "",
  rounds: 5,
  results: [result],
})

export const hit = report(result("hit", line("larder", 300, 600), [line("effect", 400, 1_500)]))

/** A peer is faster than Larder, and another so slow that a linear axis would not do. */
export const redis = report(
  result("redis", line("larder over redis", 200, 300), [
    line("ioredis", 160, 200),
    line("cacheable over redis", 180, 220),
    line("bentocache over redis", 9_000, 9_500),
  ]),
)

export const onAnotherMachine = (report: Report): Report => ({
  ...report,
  environment: { ...report.environment, cores: 64 },
})

export const withVersion = (report: Report, name: string, version: string): Report => ({
  ...report,
  environment: {
    ...report.environment,
    versions: { ...report.environment.versions, [name]: version },
  },
})

export const withOptions = (report: Report, options: string): Report => ({
  ...report,
  options,
})
