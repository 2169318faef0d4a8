/** The policies that `Policy.make` has made and checked. A policy copied by hand is not among them. */
const made = new WeakSet<object>()

export const add = (policy: object): void => {
  made.add(policy)
}

export const has = (policy: object): boolean => made.has(policy)
