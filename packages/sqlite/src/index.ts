export * as SqliteTier from "./SqliteTier.ts"
