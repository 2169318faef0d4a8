/** Figures that repeat their argument, or a process that ends before it has figures. */
export const figures = async (what: string): Promise<unknown> => {
  console.log("printed, and no part of the figures")
  if (what === "nothing") process.exit(7)
  // A library may leave a timer running.
  setInterval(() => {}, 1_000)
  return { what, flags: process.execArgv }
}
