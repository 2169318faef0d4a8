/** A bar on standard error, where that is a terminal. */

const width = 40

export const progress = (total: number): ((done: number) => void) => {
  const { stderr } = process
  if (!stderr.isTTY) return () => {}
  return (done) => {
    const filled = Math.round((done / total) * width)
    const bar = "#".repeat(filled).padEnd(width, ".")
    stderr.write(`\r[${bar}] ${done}/${total}${done >= total ? "\n" : ""}`)
  }
}
