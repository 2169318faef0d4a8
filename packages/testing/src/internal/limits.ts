/** The bounds of the testing kit. */

/** Records. A timeline that runs for longer forgets the oldest ones, and its assertions fail. */
export const timelineRecords = 500_000
/** Records that a failed assertion shows before the moment, and after it. */
export const recordsBefore = 14
export const recordsAfter = 5
/** Lookups, or keys, that the message of a failed assertion lists. */
export const namesShown = 10
/** Nodes. A failed assertion shows the lanes of so many, and more only of nodes with a record in it. */
export const lanesShown = 6
/** Characters. A lane that is wider does not fit twice on a screen. */
export const laneWidth = 56
/** Turns of the event loop in a row. Work that takes more without time passing does not end. */
export const turnsWithoutRest = 20_000
/** ms of real time. Work that no virtual clock moves, such as decompression, ends well within it. */
export const realMillis = 1_000
/** ms of real time between two looks at such work. */
export const realPauseMillis = 5
/** ms of real time. A tier that nodes share answers well within it. */
export const probeMillis = 1_000
/** ms. How long a message is held back at most, so that later ones overtake it. */
export const reorderMillis = 1_000
