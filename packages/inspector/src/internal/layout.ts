/** Rows and panels at their places: three panels beside each other. */
import type { PanelSpec, RowSpec } from "./rows.ts"
import { source } from "./variables.ts"

interface GridPos {
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
}

export interface PlacedRow {
  readonly id: number
  readonly type: "row"
  readonly title: string
  readonly collapsed: boolean
  readonly gridPos: GridPos
  readonly panels: Array<never>
}

interface Target {
  readonly refId: string
  readonly expr: string
  readonly legendFormat: string
  readonly datasource: typeof source
}

export interface PlacedPanel {
  readonly id: number
  readonly type: "timeseries" | "state-timeline"
  readonly title: string
  readonly datasource: typeof source
  readonly gridPos: GridPos
  readonly targets: Array<Target & Record<string, unknown>>
  readonly fieldConfig: {
    readonly defaults: { readonly unit: string; readonly mappings?: Array<typeof breakerStates> }
    readonly overrides: Array<never>
  }
}

const width = 8
const height = 7
const across = 24 / width

const breakerStates = {
  type: "value" as const,
  options: {
    "0": { text: "closed", color: "green" },
    "1": { text: "half open", color: "yellow" },
    "2": { text: "open", color: "red" },
  },
}

const panelOf = (spec: PanelSpec, id: number, gridPos: GridPos): PlacedPanel => ({
  id,
  type: spec.isTimeline ? "state-timeline" : "timeseries",
  title: spec.title,
  datasource: source,
  gridPos,
  targets: spec.queries.map(({ expr, legend }, index) => ({
    refId: String.fromCodePoint(65 + index),
    expr,
    legendFormat: legend,
    datasource: source,
  })),
  fieldConfig: {
    defaults: { unit: spec.unit, ...(spec.isTimeline ? { mappings: [breakerStates] } : {}) },
    overrides: [],
  },
})

/** All rows, one under the other, and their panels. */
export const laidOut = (rows: ReadonlyArray<RowSpec>): Array<PlacedPanel | PlacedRow> => {
  const placed: Array<PlacedPanel | PlacedRow> = []
  let y = 0
  for (const { panels, title } of rows) {
    const gridPos = { x: 0, y, w: 24, h: 1 }
    placed.push({
      id: placed.length + 1,
      type: "row",
      title,
      collapsed: false,
      gridPos,
      panels: [],
    })
    panels.forEach((panel, index) => {
      const at = { x: (index % across) * width, y: y + 1 + Math.floor(index / across) * height }
      placed.push(panelOf(panel, placed.length + 1, { ...at, w: width, h: height }))
    })
    y += 1 + Math.ceil(panels.length / across) * height
  }
  return placed
}
