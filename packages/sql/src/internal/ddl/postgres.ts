/**
 * The statements of a change table in Postgres, whose triggers run once for each statement and see all
 * its rows. The functions run with the rights of who made them, so that writers need none of their own.
 */
import { expression, type Settings, type Watched } from "./options.ts"
import { quoted, quotedTable, tablesOf, text, triggerOf } from "./names.ts"

const events = {
  insert: ["larder_new"],
  update: ["larder_old", "larder_new"],
  delete: ["larder_old"],
} as const

type Event = keyof typeof events

const referencing: Readonly<Record<Event, string>> = {
  insert: "referencing new table as larder_new",
  update: "referencing old table as larder_old new table as larder_new",
  delete: "referencing old table as larder_old",
}

/** Up to one more than the most distinct texts of these expressions. */
const listOf = (
  rows: ReadonlyArray<string>,
  valueOf: (row: string) => string,
  most: number,
): string => {
  const all = rows.map((table) => `select ${valueOf("r")} as value from ${table} as r`)
  return `select array_agg(value) from (
      select distinct value from (${all.join(" union all ")}) as every_one
      where value is not null limit ${most + 1}
    ) as distinct_ones`
}

const branchOf = (event: Event, { key, tags = [] }: Watched, { maxKeys }: Settings): string => {
  const rows = events[event]
  const keys = listOf(rows, (row) => `(${expression(key, row)})::text`, maxKeys)
  const each = (row: string) =>
    `unnest(array[${tags.map((tag) => `(${expression(tag, row)})::text`).join(", ")}])`
  const tagged = tags.length === 0 ? "" : `    tagged := (${listOf(rows, each, maxKeys)});\n`
  return `if tg_op = '${event.toUpperCase()}' then
    changed := (${keys});
${tagged}  end if;`
}

const functionOf = (settings: Settings, watched: Watched): string => {
  const { changes, name } = tablesOf(settings.name, settings.schema)
  const own = `${settings.schema}.${quoted(triggerOf(settings.name, watched.table, watched.larder))}`
  const larder = text(watched.larder)
  const branches = (Object.keys(events) as Array<Event>)
    .map((event) => branchOf(event, watched, settings))
    .join("\n  ")
  return `create or replace function ${own}() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $larder$
declare
  changed text[];
  tagged text[];
begin
  ${branches}
  if tg_op = 'TRUNCATE' or cardinality(changed) > ${settings.maxKeys} or cardinality(tagged) > ${settings.maxKeys} then
    insert into ${changes} (larder, clear) values (${larder}, true);
  elsif changed is null and tagged is null then
    return null;
  else
    insert into ${changes} (larder, keys, tags)
      values (${larder}, coalesce(changed, '{}'), coalesce(tagged, '{}'));
  end if;
  perform pg_notify(${text(name)}, '');
  return null;
end
$larder$`
}

const triggersOf = (settings: Settings, { larder, table }: Watched) => {
  const base = triggerOf(settings.name, table, larder)
  const on = quotedTable(table)
  const execute = `for each statement execute function ${settings.schema}.${quoted(base)}()`
  return [...(Object.keys(events) as Array<Event>), "truncate" as const].map((event) => {
    const trigger = quoted(`${base}_${event}`)
    const rows = event === "truncate" ? "" : ` ${referencing[event]}`
    return {
      drop: `drop trigger if exists ${trigger} on ${on}`,
      create: `create trigger ${trigger} after ${event} on ${on}${rows} ${execute}`,
    }
  })
}

export const create = (settings: Settings): ReadonlyArray<string> => {
  const { changes, name, positions, state } = tablesOf(settings.name, settings.schema)
  return [
    `create table if not exists ${changes} (
  tx xid8 not null default pg_current_xact_id(),
  seq bigint generated always as identity,
  larder text not null,
  keys text[] not null default '{}',
  tags text[] not null default '{}',
  clear boolean not null default false,
  at timestamptz not null default clock_timestamp(),
  primary key (tx, seq)
)`,
    `create index if not exists ${name}_at on ${changes} (at)`,
    `create table if not exists ${state} (
  id integer primary key check (id = 1),
  epoch text not null,
  floor_tx xid8 not null default '0',
  floor_seq bigint not null default 0
)`,
    `insert into ${state} (id, epoch) values (1, gen_random_uuid()::text) on conflict do nothing`,
    `create table if not exists ${positions} (consumer text primary key, position text not null)`,
    ...settings.tables.flatMap((watched) => [
      functionOf(settings, watched),
      ...triggersOf(settings, watched).flatMap(({ create, drop }) => [drop, create]),
    ]),
  ]
}

export const drop = (settings: Settings): ReadonlyArray<string> => {
  const { changes, positions, state } = tablesOf(settings.name, settings.schema)
  return [
    ...settings.tables.flatMap((watched) => [
      ...triggersOf(settings, watched).map(({ drop }) => drop),
      `drop function if exists ${settings.schema}.${quoted(triggerOf(settings.name, watched.table, watched.larder))}()`,
    ]),
    ...[changes, state, positions].map((table) => `drop table if exists ${table}`),
  ]
}
