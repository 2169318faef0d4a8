/** Bad input, with a remedy. */
export class UsageError extends Error {}
