/**
 * The bounds of the client and of the tier. docs/limits.md lists them with their consequences. A
 * name that ends in `Millis` is in milliseconds; the others count what their name says.
 */

// ---- options of the client: their defaults ----------------------------------------------------

/** ms. Longer than any `tierTimeout` in use, so that the larder's own limit decides. */
export const commandMillis = 1_000
/** ms. Room for TLS and for a retransmitted packet. */
export const connectMillis = 2_000
/** ms, doubled after each attempt. A restart of the server is noticed soon. */
export const firstReconnectMillis = 50
/** ms. One attempt a second is little load for a server that starts. */
export const longestReconnectMillis = 1_000
/** ms. An idle connection that died without a sign is noticed after this time. */
export const heartbeatMillis = 5_000

// ---- the connection ---------------------------------------------------------------------------

/** ms. How long a closing socket may take for QUIT. A frozen server never replies. */
export const goodbyeMillis = 100
/** ms. How long closing waits for the end of the client. */
export const closingMillis = 500
/** ms between packets that keep an idle connection open in firewalls. */
export const keepAliveMillis = 5_000
/** ms. The pause before a command is sent again whose slot is down or moving. */
export const slotPauseMillis = 50
/** Servers that a command on a Cluster is sent on to, one after the other. */
export const redirections = 8
/** Events of one channel that wait for a slow subscriber. */
export const waitingEvents = 10_000
/** ms. A larder may retry after this long without a subscription. */
export const subscribeMillis = 5_000

// ---- log lines of the client ------------------------------------------------------------------

/** ms. A shorter outage is logged only when there are many. */
export const briefOutageMillis = 1_000
/** Brief outages for one line. */
export const briefOutages = 10
/** Lines at once. */
export const linesAtOnce = 6
/** ms for one more line. */
export const lineRefillMillis = 60_000
/** ms, doubled after each attempt: pauses of the check at startup. */
export const firstCheckMillis = 250
/** ms. The longest pause of the check at startup. */
export const longestCheckMillis = 30_000

// ---- requests ---------------------------------------------------------------------------------

/** ms. The assumed timeout of a step when the larder gives none. */
export const assumedStepMillis = 500
/** ms. A request fails this much before its step times out, so that the larder gets the cause. */
export const marginMillis = 2
/**
 * ms. A change that arrives later than this after its deadline is refused in any case. Records live
 * longer than that, so that an earlier one finds what came after it.
 */
export const lateMillis = 500
/** Keys of one MGET. The server does nothing else meanwhile. */
export const keysPerRead = 1_000
/** Names that one step of a SCAN visits, about. The server does nothing else meanwhile. */
export const namesPerScan = 500

// ---- messages -------------------------------------------------------------------------------

/** Heartbeats between two looks at the masters of a Cluster. */
export const beatsPerLook = 3

// ---- marks ------------------------------------------------------------------------------------

/** Marks of one larder. As many as a node remembers. */
export const maxMarks = 100_000
/** ms: 7 days. As long as a node remembers them. */
export const markLifeMillis = 7 * 24 * 60 * 60 * 1_000
/** Marks in one answer. The server does nothing else meanwhile. */
export const marksPerPage = 5_000
/** Old marks that a new one removes at most, or twice as many as it adds. */
export const marksTrimmedPerMark = 1_000

// ---- outboxes ---------------------------------------------------------------------------------

/** ms. One small trip a second where the server refuses the channel of an outbox. */
export const outboxPollMillis = 1_000
