/**
 * How much a power cut may lose: see the option `synchronous`.
 *
 * @category models
 * @since 0.1.0
 */
export type Synchronous = "off" | "normal" | "full"

export const modes: ReadonlySet<Synchronous> = new Set(["off", "normal", "full"])
