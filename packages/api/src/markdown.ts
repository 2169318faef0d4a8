/** Markdown as GitHub renders it. */

/** Gives each heading of a page the anchor that GitHub gives it: equal ones are numbered in their order. */
export const anchors = (): ((heading: string) => string) => {
  const seen = new Map<string, number>()
  return (heading) => {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_\- ]/gu, "")
      .replaceAll(" ", "-")
    const count = seen.get(slug)
    seen.set(slug, (count ?? 0) + 1)
    return count === undefined ? slug : `${slug}-${count}`
  }
}

/** Text of several paragraphs as one cell of a table. */
export const cell = (text: string): string =>
  text.trim().replaceAll("|", "\\|").replaceAll(/\n\n+/g, "<br><br>").replaceAll("\n", " ")

/** Code on one line. */
export const code = (text: string): string => `\`${text.replaceAll(/\s+/g, " ").trim()}\``

export const block = (text: string): string => `\`\`\`ts\n${text}\n\`\`\``

export const table = (
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

/** A category as a heading: `building blocks` as `Building blocks`. */
export const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** The first paragraph. */
export const firstParagraph = (text: string): string => text.trim().split(/\n\s*\n/, 1)[0] ?? ""
