/** Mutations before and after they get a number. */

/** One way to change the source of a node: the text that replaces it. */
export interface Change {
  readonly operator: string
  readonly mutated: string
}

/**
 * A node with its changes. An expression is replaced by an expression; a statement is only left
 * out.
 */
export interface Placement {
  readonly kind: "expression" | "statement"
  readonly start: number
  readonly end: number
  readonly changes: ReadonlyArray<Change>
}

/** A change with its number, which switches it on; 0 means no mutant. */
export interface Mutant extends Change {
  readonly id: number
  /** The number of the node: tests that evaluate the node cover this number. */
  readonly placement: number
  readonly file: string
  readonly line: number
  readonly column: number
  readonly original: string
  /** The line of the source, without its indentation. */
  readonly text: string
}
