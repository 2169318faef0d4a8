/** The names in a tier that no larder may have. */

/** Leases alone: see `Lease.namespace`. */
export const leaseNamespace = "~lease"
