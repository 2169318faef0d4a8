/** The policies that `Policy.make` has checked: a copy made by hand is none of them. */
const made = new WeakSet<object>()

export const add = (policy: object): void => {
  made.add(policy)
}

export const has = (policy: object): boolean => made.has(policy)
