/** Values that came with a message and are being decoded, by key. A later change of the key ends them. */
export class Pushes {
  readonly #versions = new Map<string, number>()

  begin(k: string, version: number): void {
    this.#versions.set(k, version)
  }

  /** The key has changed: the value is not stored any more. */
  forget(k: string): void {
    this.#versions.delete(k)
  }

  /** Ends a push; says whether the value may be stored. */
  end(k: string, version: number): boolean {
    if (this.#versions.get(k) !== version) return false
    this.#versions.delete(k)
    return true
  }
}
