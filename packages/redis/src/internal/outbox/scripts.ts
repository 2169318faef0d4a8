/**
 * The scripts of an outbox. Each is one step of the store, all or nothing. All times are those of the
 * server, ms.
 *
 * KEYS of every script, in one slot:
 *
 * ```text
 * prefix:o:{outbox}:rows      a hash: what is kept for each key, packed
 * prefix:o:{outbox}:ready     a sorted set: keys by when they may be claimed
 * prefix:o:{outbox}:waiting   keys with a write that waits, by when their first write came
 * prefix:o:{outbox}:flying    keys with a write in flight, likewise
 * prefix:o:{outbox}:dead      keys with a dead letter, in their order
 * prefix:o:{outbox}:claims    the number of claims so far
 * ```
 *
 * A row has up to three members, each a list:
 *
 * ```text
 * w = { version, payload, since }
 * f = { version, payload, since, attempts, claim, ready at }
 * d = { version, payload, since, attempts, why }
 * ```
 *
 * A payload of `false` is a removal, a claim of `false` is a rest.
 *
 * A row that was damaged must not stop the others. Each script takes it for a row of version 0 with a
 * payload that no schema decodes, in the state that the sorted sets say: so a read of the key fails, the
 * flusher makes a dead letter of it, and any new write takes its place.
 */
import { escape } from "../keys.ts"

export const keysOf = (prefix: string, outbox: string): ReadonlyArray<string> =>
  ["rows", "ready", "waiting", "flying", "dead", "claims"].map(
    (part) => `${prefix}:o:{${escape(outbox)}}:${part}`,
  )

export const channelOf = (prefix: string, outbox: string): string =>
  `${prefix}:o:{${escape(outbox)}}:wake`

const prelude = `
local ROWS, READY, WAITING, FLYING, DEAD, CLAIMS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local function plain(number) return string.format('%.0f', number) end

local function isCount(number)
  return type(number) == 'number' and number >= 0 and number <= 9007199254740991 and number == math.floor(number)
end

local function isTextOrFalse(value) return type(value) == 'string' or value == false end

local function isWrite(write)
  return type(write) == 'table' and isCount(write[1]) and isTextOrFalse(write[2]) and isCount(write[3])
end

local function isRow(row)
  if type(row) ~= 'table' then return false end
  local w, f, d = row.w, row.f, row.d
  return (w or f or d) and (w == nil or isWrite(w))
    and (f == nil or (isWrite(f) and isCount(f[4]) and isTextOrFalse(f[5]) and isCount(f[6])))
    and (d == nil or (isWrite(d) and isCount(d[4]) and type(d[5]) == 'string'))
end

-- What the sets say of a row that is missing or damaged; nil where they do not know the key either.
local function lost(key, why)
  local at = redis.call('ZSCORE', READY, key)
  local row = {}
  if at then
    local waiting, flying = redis.call('ZSCORE', WAITING, key), redis.call('ZSCORE', FLYING, key)
    if flying then row.f = { 0, '', tonumber(flying), 0, false, tonumber(at) } end
    if waiting or not flying then row.w = { 0, '', tonumber(waiting or at) } end
  end
  if redis.call('ZSCORE', DEAD, key) then row.d = { 0, '', now, 0, why } end
  return (row.w or row.f or row.d) and row or nil
end

local function load(key)
  local packed = redis.call('HGET', ROWS, key)
  if not packed then return lost(key, 'its row is missing in Redis') end
  local isRead, row = pcall(cmsgpack.unpack, packed)
  if isRead and isRow(row) then return row end
  local why = 'its row is damaged in Redis'
  return lost(key, why) or { d = { 0, '', now, 0, why } }
end

local function place(set, score, key)
  if score then redis.call('ZADD', set, plain(score), key) else redis.call('ZREM', set, key) end
end

local function save(key, row)
  local at = nil
  if row.f then at = row.f[6] elseif row.w then at = row.w[3] end
  place(READY, at, key)
  place(WAITING, row.w and row.w[3], key)
  place(FLYING, row.f and row.f[3], key)
  place(DEAD, row.d and 0, key)
  if row.w or row.f or row.d then
    redis.call('HSET', ROWS, key, cmsgpack.pack({ w = row.w, f = row.f, d = row.d }))
  else
    redis.call('HDEL', ROWS, key)
  end
end

local function wake(channel)
  redis.call('PUBLISH', channel, redis.call('ZCARD', WAITING))
end

-- A payload and whether it is one: a bulk reply cannot tell a removal from an empty text.
local function add(out, write)
  if not write then return end
  out[#out + 1] = plain(write[1])
  out[#out + 1] = write[2] and 1 or 0
  out[#out + 1] = write[2] or ''
  out[#out + 1] = plain(write[3])
end
`

/** ARGV: the bound, whether it merges, the channel; then key, version, is a value, payload, merged versions. */
export const offer = `${prelude}
local most, merges, channel = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[3]
local answers, took = {}, false
for i = 4, #ARGV, 5 do
  local key, version, merged = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 4]
  local payload = ARGV[i + 2] == '1' and ARGV[i + 3]
  local row = load(key)
  if not row and redis.call('HLEN', ROWS) >= most then
    answers[#answers + 1] = { 'Full' }
  else
    row = row or {}
    local w, f, d = row.w, row.f, row.d
    local since = w and w[3] or now
    if merges then
      local older = {}
      if d then older[#older + 1] = plain(d[1]) end
      if w then older[#older + 1] = plain(w[1]) end
      if table.concat(older, ',') ~= merged then
        local answer = { 'Unmerged' }
        add(answer, d)
        add(answer, w)
        answers[#answers + 1] = answer
      else
        version = math.max(version, f and f[1] + 1 or 0, w and w[1] or 0, d and d[1] or 0)
        row.w, row.d, took = { version, payload, since }, nil, true
        save(key, row)
        answers[#answers + 1] = { 'Accepted' }
      end
    elseif version <= math.max(w and w[1] or 0, f and f[1] or 0, d and d[1] or 0) then
      answers[#answers + 1] = { 'Superseded' }
    else
      row.w, row.d, took = { version, payload, since }, nil, true
      save(key, row)
      answers[#answers + 1] = { 'Accepted' }
    end
  end
end
if took then wake(channel) end
return answers
`

/** ARGV: keys. Returns the rows of those that have one. */
export const rows = `${prelude}
local out = {}
for i = 1, #ARGV do
  local row = load(ARGV[i])
  if row then
    local w, f, d = {}, {}, {}
    add(w, row.w)
    add(f, row.f)
    add(d, row.d)
    if row.f then
      f[5], f[6], f[7] = plain(row.f[4]), row.f[5] or '', plain(row.f[6])
    end
    if row.d then d[5], d[6] = plain(row.d[4]), row.d[5] end
    out[#out + 1] = { ARGV[i], w, f, d }
  end
end
return out
`

/** ARGV: the most writes, lock, count and age from which to claim, whether it merges. */
export const claim = `${prelude}
local most, lock, count, age, merges = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
local keys = redis.call('ZRANGEBYSCORE', READY, '-inf', plain(now), 'LIMIT', 0, most)
local found, oldest, due = {}, math.huge, false
for i, key in ipairs(keys) do
  local row = load(key)
  found[i] = row
  if row.f then due = true else oldest = math.min(oldest, row.w[3]) end
end
if not due and not (#keys > 0 and #keys >= count) and oldest + age > now then
  local first = redis.call('ZRANGEBYSCORE', READY, '(' .. plain(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local at = math.min(oldest + age, first[2] and tonumber(first[2]) or math.huge)
  if at == math.huge then return { 'Next', '' } end
  return { 'Next', plain(math.max(0, at - now)) }
end
local id = plain(now) .. '-' .. redis.call('INCR', CLAIMS)
local out = { 'Claimed', id }
for i, key in ipairs(keys) do
  local row = found[i]
  if row.f and (merges or not row.w) then
    row.f[4], row.f[5], row.f[6] = row.f[4] + 1, id, now + lock
  else
    local w = row.w
    row.f, row.w = { w[1], w[2], w[3], 1, id, now + lock }, nil
  end
  save(key, row)
  local one = { key }
  add(one, row.f)
  one[6] = plain(row.f[4])
  out[#out + 1] = one
end
return out
`

/** ARGV: the step, its number, then key, version and claim of each. Returns how many are still held. */
export const held = `${prelude}
local step, number, count = ARGV[1], tonumber(ARGV[2]), 0
for i = 3, #ARGV, 3 do
  local key = ARGV[i]
  local row = load(key)
  if row and row.f and row.f[5] == ARGV[i + 2] and row.f[1] == tonumber(ARGV[i + 1]) then
    count = count + 1
    if step == 'done' then
      row.f = nil
    else
      row.f[6] = now + number
      if step == 'retry' then row.f[5] = false end
    end
    save(key, row)
  end
end
return count
`

/** ARGV: key, version, claim, why, whether it merges; with an earlier dead letter its version, is a value, payload. */
export const bury = `${prelude}
local key, merges = ARGV[1], ARGV[5] == '1'
local row = load(key)
if not row or not row.f or row.f[5] ~= ARGV[3] or row.f[1] ~= tonumber(ARGV[2]) then return 0 end
local f = row.f
if row.w and not merges then
  row.f, row.d = nil, nil
  save(key, row)
  return 0
end
local payload = f[2]
if merges then
  local earlier = row.d and plain(row.d[1]) or ''
  if earlier ~= (ARGV[6] or '') then return 0 end
  if ARGV[6] then payload = ARGV[7] == '1' and ARGV[8] end
end
row.f, row.d = nil, { f[1], payload, f[3], f[4], ARGV[4] }
save(key, row)
return 1
`

/** ARGV: key, channel. */
export const revive = `${prelude}
local row = load(ARGV[1])
if not row or not row.d or row.w or row.f then return 0 end
row.w, row.d = { row.d[1], row.d[2], now }, nil
save(ARGV[1], row)
wake(ARGV[2])
return 1
`

/** ARGV: key. */
export const discard = `${prelude}
local row = load(ARGV[1])
if not row or not row.d then return 0 end
row.d = nil
save(ARGV[1], row)
return 1
`

/** ARGV: where to begin, the most keys. */
export const dead = `${prelude}
local out = {}
for _, key in ipairs(redis.call('ZRANGEBYLEX', DEAD, ARGV[1], '+', 'LIMIT', 0, ARGV[2])) do
  local one = { key }
  local d = load(key).d
  add(one, d)
  one[6], one[7] = plain(d[4]), d[5]
  out[#out + 1] = one
end
return out
`

/** Returns the numbers of keys that wait, are in flight and are dead, and the age of the oldest write. */
export const depth = `${prelude}
local oldest = now
for _, set in ipairs({ WAITING, FLYING }) do
  local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  if first[2] then oldest = math.min(oldest, tonumber(first[2])) end
end
return {
  redis.call('ZCARD', WAITING), redis.call('ZCARD', FLYING), redis.call('ZCARD', DEAD), plain(now - oldest)
}
`
