/** Scalable Vector Graphics as strings: elements, text that fits, and the look of all charts. */

type Attributes = Readonly<Record<string, string | number>>

const escaped: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
}

export const escape = (text: string): string => text.replace(/[&<>"]/g, (sign) => escaped[sign]!)

const shown = (value: string | number): string =>
  typeof value === "number" ? String(Math.round(value * 100) / 100) : escape(value)

/** An element of elements. */
export const element = (
  name: string,
  attributes: Attributes,
  children: ReadonlyArray<string> = [],
): string => {
  const head = [name, ...Object.entries(attributes).map(([key, to]) => `${key}="${shown(to)}"`)]
  return children.length === 0
    ? `<${head.join(" ")}/>`
    : `<${head.join(" ")}>${children.join("")}</${name}>`
}

export const text = (content: string, attributes: Attributes): string =>
  element("text", attributes, [escape(content)])

/** An upper bound, for a sans-serif face whatever the machine has. */
export const widthOf = (content: string, size: number): number => content.length * size * 0.6

/** Breaks at spaces, but not before a number, so that each line is at most so wide where words allow. */
export const wrap = (content: string, size: number, width: number): ReadonlyArray<string> =>
  content.split(/ (?!\d)/).reduce<Array<string>>((lines, word) => {
    const last = lines.at(-1)
    if (last !== undefined && widthOf(`${last} ${word}`, size) <= width) {
      lines[lines.length - 1] = `${last} ${word}`
    } else {
      lines.push(word)
    }
    return lines
  }, [])

/** Own ground under everything: the page around it may be light or dark whatever the viewer prefers. */
const style = `
text{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;font-size:12px;fill:#1f2328}
.title{font-size:15px;font-weight:600}
.head,.note{fill:#59636e}
.note{font-size:11px}
.own{font-weight:600;fill:#8e2466}
.figure{font-variant-numeric:tabular-nums;text-anchor:end}
.middle{text-anchor:middle}
.ground{fill:#fff;stroke:#d1d9e0}
.grid{stroke:#d1d9e0;stroke-width:1}
.one{stroke:#59636e;stroke-width:1.5}
.bar{fill:#9aa5b1}
.bar.larder,.dot{fill:#b23a82}
.whisker{stroke:#6b7783;stroke-width:1.5}
.whisker.larder{stroke:#6d1a4d}
.peer{fill:#fff;stroke:#1f6feb;stroke-width:2}
@media(prefers-color-scheme:dark){
text{fill:#e6edf3}
.head,.note{fill:#9ca5ae}
.own{fill:#f08cc4}
.ground{fill:#0d1117;stroke:#3d444d}
.grid{stroke:#2f363d}
.one{stroke:#9ca5ae}
.bar{fill:#57606a}
.bar.larder,.dot{fill:#d65ca5}
.whisker{stroke:#a9b3bd}
.whisker.larder{stroke:#ffc2e4}
.peer{fill:#0d1117;stroke:#58a6ff}
}`

export const picture = (options: {
  readonly title: string
  readonly description: string
  readonly width: number
  readonly height: number
  readonly content: ReadonlyArray<string>
}): string => {
  const { content, description, height, title, width } = options
  const parts = [
    element("title", { id: "title" }, [escape(title)]),
    element("desc", { id: "desc" }, [escape(description)]),
    element("style", {}, [style]),
    element("rect", {
      class: "ground",
      x: 0.5,
      y: 0.5,
      width: width - 1,
      height: height - 1,
      rx: 6,
    }),
    ...content,
  ]
  const root = {
    xmlns: "http://www.w3.org/2000/svg",
    role: "img",
    "aria-labelledby": "title desc",
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
  }
  return `${element(
    "svg",
    root,
    ["", ...parts, ""].map((part) => `${part}\n`),
  )}\n`
}
