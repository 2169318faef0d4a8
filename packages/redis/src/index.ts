export * as RedisClient from "./RedisClient.ts"
export * as RedisTier from "./RedisTier.ts"
