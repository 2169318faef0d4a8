/**
 * Types that make the compiler name a mistake in the options of `make`, `Service` and `fn`.
 *
 * The compiler reports a call that fits no overload against the last overload. The last overloads
 * accept no options. They have a type parameter for each option that has a remedy: `U` is the type of
 * the given `upstream`, `V` of `value`, `P` of `policy`. The expected type of an option depends on the
 * given one: the compiler prints a sentence with the option and its remedy where the option is wrong.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Policy from "../../Policy.ts"
import type { AuditOptions } from "./audit.ts"
import type { KeySchema } from "./keySchema.ts"
import type { OnStampede } from "./stampedes.ts"
import type * as Upstream from "../../Upstream.ts"

type NoUpstream = "upstream: give Upstream.make({ lookup: ... })"
type NoPolicy = "policy: give Policy.make({ freshFor: ... }) or Policy.adaptive(...)"
type NoSchema = "value: give a schema, such as Schema.String"
type OtherValues = "upstream: give one that looks up the type of the schema in `value`"
type NoKey = "key: give a function (key) => string, since the keys are neither strings nor numbers"
type NoKeyOfArguments =
  "key: give a function (...args) => string, since the arguments are not one string or number"

/** For a service that has an id alone. */
export type NoOptions = "upstream, policy: give them in an object after the id"

/** The type parameter of an option that the call leaves out. */
export interface Absent {
  readonly "~larder/Absent": never
}

/** The type of a missing option: the compiler prints its name and argument. It accepts every value. */
interface Give<_Remedy> {}

/** No options have this member. It stands last, so that the compiler reports every other mistake first. */
interface Refused {
  readonly "an option may be missing or does not fit the others": never
}

/** `T`. The other branch is never taken; the compiler infers `X`, the type of the given option, from it. */
type Given<X, T> = [X] extends [never] ? X : T

type IfAbsent<X, Option> = [X] extends [Absent] ? Option : unknown

type AnyUpstream = Upstream.Upstream<never, unknown, unknown, unknown>
type AnyPolicy = Policy.Policy | Pick<Policy.AdaptivePolicy<never, never>, "base">

export type KeyOf<U> =
  U extends Upstream.Upstream<infer K, infer _A, infer _E, infer _R> ? K : never
export type ErrorOf<U> =
  U extends Upstream.Upstream<infer _K, infer _A, infer E, infer _R> ? E : never
type LookedUp<U> = U extends Upstream.Upstream<infer _K, infer A, infer _E, infer _R> ? A : never

/** The type of the schema `V`; `A` without a schema. */
type TypeOf<V, A> = V extends Schema.Constraint ? V["Type"] : A

type Upstreams<U, A> = [U] extends [AnyUpstream]
  ? [LookedUp<U>] extends [A]
    ? U
    : Upstream.Upstream<KeyOf<U>, A, unknown, unknown> & OtherValues
  : NoUpstream
type Policies<P, A, K> = [P] extends [AnyPolicy | Absent]
  ? Policy.Policy | Policy.AdaptivePolicy<A, K>
  : NoPolicy
type Schemas<V> = [V] extends [Schema.Constraint] ? V : [V] extends [undefined] ? V : NoSchema

// The compiler prints the names of these types, so they are those of the options.
type Tags<A, K> = (value: A, key: K) => ReadonlyArray<string>
type Etag<A, K> = (value: A, key: K) => string | undefined
type Revision<A> = (value: A) => number | bigint | string
type Key<K> = (key: K) => string

/** Keys that are strings or numbers need no `key` function. */
type KeyRequired<K> = [K] extends [string | number]
  ? unknown
  : { readonly key: Give<(key: K) => string> }

/** The options that `make` and `fn` have in common. */
type OfValues<V, P, A, K> = IfAbsent<
  P,
  { readonly policy: Give<"Policy.make({ freshFor: ... })"> }
> & {
  readonly value?: Given<V, Schemas<V>>
  readonly policy?: Given<P, Policies<P, A, K>>
  readonly tags?: Tags<A, K> | undefined
  readonly etag?: Etag<A, K> | undefined
  readonly revision?: Revision<A> | undefined
  readonly schemaVersion?: number | undefined
  readonly closeTimeout?: Duration.Input | undefined
  readonly stampedeCallers?: number | undefined
  readonly onStampede?: OnStampede<K> | undefined
  readonly audit?: AuditOptions<A> | undefined
}

type OfUpstream<U, V, P> = IfAbsent<
  U,
  { readonly upstream: Give<"Upstream.make({ lookup: ... })"> }
> &
  OfValues<V, P, TypeOf<V, LookedUp<U>>, KeyOf<U>> &
  KeyRequired<KeyOf<U>> & {
    readonly upstream?: Given<U, Upstreams<U, TypeOf<V, LookedUp<U>>>>
    readonly key?: Key<KeyOf<U>> | KeySchema<KeyOf<U>> | undefined
  }

/** The options of `make` and `Service`; those that `Others` has need no remedy. */
export type Explained<U, V, P, Others> = OfUpstream<U, V, P> & Others & Refused

/** The options of `fn`; those that `Others` has need no remedy. */
export type ExplainedFn<V, P, A, Args extends ReadonlyArray<unknown>, Others> = OfValues<
  V,
  P,
  TypeOf<V, A>,
  Args
> &
  Others & { readonly key?: ((...args: Args) => string) | undefined } & Refused

/** `Options`, or an effect that gives them. `G` is what the call gives. */
export type OrEffect<G, Options> = [G] extends [never]
  ? G
  : [G] extends [Effect.Effect<infer O, infer _E, infer _R>]
    ? Mistake<O, Member<O, "upstream">, Member<O, "value">, Member<O, "policy">>
    : Options

type Member<O, Name> = Name extends keyof O ? O[Name] : Absent

/** The first mistake in the options that an effect gives: of types within an effect the compiler prints long chains. */
type Mistake<O, U, V, P> = [U] extends [AnyUpstream]
  ? [P] extends [AnyPolicy]
    ? [V] extends [Schema.Constraint | Absent | undefined]
      ? [LookedUp<U>] extends [TypeOf<V, LookedUp<U>>]
        ? [O] extends [KeyRequired<KeyOf<U>>]
          ? WrongMember<O, OfUpstream<U, V, P>>
          : NoKey
        : OtherValues
      : NoSchema
    : NoPolicy
  : NoUpstream

type WrongMember<O, Options> = {
  [Name in keyof O & keyof Options]: O[Name] extends Options[Name] ? never : Name
}[keyof O & keyof Options] extends infer Name
  ? [Name] extends [never]
    ? Refused
    : `${Name & string}: give what fits \`upstream\` and \`value\``
  : never

/** Arguments that are a key without a `key` function. */
export type OneKey = readonly [key: string | number]

/** Marks {@link KeyArguments}, the bound, apart from arguments that are within it. */
interface NotAKey extends ReadonlyArray<unknown> {
  readonly "~larder/NotAKey": never
}

/**
 * The bound of arguments that must be a key. The compiler infers the whole bound for arguments that are
 * outside it, and {@link KeyedBy} sees that. In generic code the compiler compares type parameters with a
 * bound, but does not resolve conditional types of them.
 */
export type KeyArguments = OneKey | NotAKey

/** Refuses a function whose arguments, `Args`, are no key where `F`, the type of the option `key`, is undefined. */
export type KeyedBy<F, Args extends KeyArguments> = [F] extends [undefined]
  ? [Args] extends [never]
    ? (...args: Args) => unknown
    : NotAKey extends Args
      ? NoKeyOfArguments
      : unknown
  : unknown
