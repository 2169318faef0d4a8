export * as TierConformance from "./TierConformance.ts"
