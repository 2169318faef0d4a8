/** The choices at the top of the dashboard. */

export interface Variable {
  readonly name: string
  readonly label: string
  readonly type: "datasource" | "query"
  readonly query: string
  readonly datasource?: { readonly type: string; readonly uid: string }
  readonly multi: boolean
  readonly includeAll: boolean
  readonly refresh?: number
}

/** The data source that the reader chose. */
export const source = { type: "prometheus", uid: "${datasource}" }

/** Asks for the values when the time range changes: larders come and go. */
const onTimeRange = 2

const values = (name: string, label: string, query: string): Variable => ({
  name,
  label,
  type: "query",
  query,
  datasource: source,
  multi: true,
  includeAll: true,
  refresh: onTimeRange,
})

export const variables = (): Array<Variable> => [
  {
    name: "datasource",
    label: "Data source",
    type: "datasource",
    query: "prometheus",
    multi: false,
    includeAll: false,
  },
  values("larder", "Larder", "label_values(larder_info, larder)"),
  values("instance", "Instance", `label_values(larder_info{larder=~"$larder"}, instance)`),
]
