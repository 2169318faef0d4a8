/** A cache that is asked for keys and stores each it lacks. */
export interface Simulated {
  /** Whether the key was there; it is stored if not. */
  readonly access: (key: string) => boolean
}

/** Makes an empty cache for so many keys. */
export type Simulation = (capacity: number) => Simulated
