/** The policies that `Policy.make` has checked, without copies made by hand. */
const made = new WeakSet<object>()

export const add = (policy: object): void => {
  made.add(policy)
}

export const has = (policy: object): boolean => made.has(policy)
