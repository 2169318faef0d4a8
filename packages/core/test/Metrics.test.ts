/** The catalogue of metrics: names, labels and units as an exporter needs them. */
import { Metrics } from "@larder/core"
import { describe, expect, it } from "vitest"
import * as labels from "../src/internal/observe/labels.ts"

const isSnakeCase = (text: string): boolean => /^[a-z]+(_[a-z]+)*$/.test(text)

describe("each metric of the catalogue", () => {
  it("has a name of its own", () => {
    const names = Metrics.catalogue.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  it.each(Metrics.catalogue.map((metric) => [metric.name, metric] as const))(
    "%s has the name, the unit and the labels that its type asks for",
    (name, { buckets, help, labels, type, unit }) => {
      expect(name).toMatch(/^larder_[a-z_]+$/)
      expect(name.endsWith("_total")).toBe(type === "counter")
      expect(unit === "s").toBe(/_seconds(_total)?$/.test(name))
      expect(unit === "By").toBe(name.includes("_bytes"))
      expect(unit).toMatch(/^(s|By|1|\{[a-z]+\})$/)
      expect(help).toMatch(/^[A-Z0-9].*[^.]$/)
      expect(buckets === undefined).toBe(type !== "histogram")
      expect(buckets).toEqual(buckets?.toSorted((one, other) => one - other))
      for (const label of labels) {
        expect(isSnakeCase(label.name)).toBe(true)
        expect(label.name).not.toBe("larder")
        expect(label.values.every(isSnakeCase)).toBe(true)
        expect(label.isOpen || label.values.length > 1).toBe(true)
        expect(new Set(label.values).size).toBe(label.values.length)
      }
    },
  )
})

const snakeCase = (name: string): string =>
  name
    .replace(/^[A-Z]/, (letter) => letter.toLowerCase())
    .replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

it.each(Object.entries(labels))("%s of events are in snake_case as labels", (_, table) => {
  const entries = Object.entries(table)
  expect(entries.length).toBeGreaterThan(1)
  for (const [field, label] of entries) expect(label).toBe(snakeCase(field))
})

it("every table of labels is in the catalogue", () => {
  const used = new Set(
    Metrics.catalogue.flatMap(({ labels }) => labels.map(({ values }) => values.join(" "))),
  )
  for (const table of Object.values(labels)) {
    expect(used).toContain(Object.values(table).join(" "))
  }
})
