/** Limits that no byte tier can use: the same for each of them. */
const from = (least: string) => `be a duration from ${least} to 24 days, such as "10 seconds"`

export type OfLimit = readonly [limits: object, field: string, shown: string, must: string]

export const ofLimits: ReadonlyArray<OfLimit> = [
  ...(
    [
      ["leaseTime", "100 milliseconds"],
      ["leaseWait", "0"],
      ["markMaxAge", "0"],
      ["settleTime", "1 second"],
      ["heartbeat", "10 milliseconds"],
    ] as const
  ).flatMap(([field, least]): ReadonlyArray<OfLimit> => [
    [{ [field]: -1 }, field, "-1", from(least)],
    [{ [field]: Number.NaN }, field, "NaN", from(least)],
    [{ [field]: "soon" }, field, '"soon"', from(least)],
    [{ [field]: null }, field, "null", from(least)],
    [{ [field]: Infinity }, field, "Infinity", from(least)],
    [{ [field]: "25 days" }, field, '"25 days"', from(least)],
  ]),
  [{ leaseTime: 99 }, "leaseTime", "99", from("100 milliseconds")],
  [{ settleTime: 999 }, "settleTime", "999", from("1 second")],
  [{ heartbeat: 9 }, "heartbeat", "9", from("10 milliseconds")],
  [{ push: 5 }, "push", "5", "be an object with maxBytes"],
  [{ push: null }, "push", "null", "be an object with maxBytes"],
  ...[0, -1, 1.5, Number.NaN, Infinity].map((maxBytes): OfLimit => [
    { push: { maxBytes } },
    "push.maxBytes",
    String(maxBytes),
    "be an integer of at least 1",
  ]),
  [{ breaker: 5 }, "breaker", "5", "be an object with failures and openFor"],
  [{ breaker: null }, "breaker", "null", "be an object with failures and openFor"],
  ...[0, -1, 1.5, Number.NaN, Infinity].map((failures): OfLimit => [
    { breaker: { failures } },
    "breaker.failures",
    String(failures),
    "be an integer of at least 1",
  ]),
  ...[0, 0.5, "25 days"].map((openFor): OfLimit => [
    { breaker: { openFor } },
    "breaker.openFor",
    typeof openFor === "string" ? JSON.stringify(openFor) : String(openFor),
    from("1 millisecond"),
  ]),
]
