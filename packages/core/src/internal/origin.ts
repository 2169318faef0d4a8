/** Where a larder was made: what runs there already has the services that were captured there. */
import * as Context from "effect/Context"

export const Origin = Context.Reference<Context.Context<never> | undefined>("~larder/Origin", {
  defaultValue: () => undefined,
})
