/**
 * The scripts that work on one key. KEYS are its entry and the record of its last lease; third, the
 * larder's floors, when they are certain to be on the same server. The scripts make the decisions
 * of core's Arbitration in Lua, each with its write in one atomic step.
 *
 * The last ARGV of each script is the tier's settleTime in ms: records of leases live at least as
 * long, tombstones twice as long. Before it, the scripts that publish take the channel, the sharded
 * channel, the most bytes that a message may carry, and the key.
 *
 * They read only the header of an entry (at the offsets of Envelope). When memory is full, Redis
 * refuses commands that need memory, unless the script has already done a write that needs none. A
 * lease or a tombstone must be kept in any case: it is tried, and then written after an UNLINK.
 *
 * No lease outlives a change: a lookup that began before the change finds no record of its lease,
 * and its result is not stored.
 */
import { Arbitration } from "@larder/core"
import { lateMillis } from "../limits.ts"
import { format, tell } from "./tell.ts"

const prelude = `
local LIMIT = 9007199254740991
local HIGHEST = ${Arbitration.highestRecorded}
local BROUGHT = ${Arbitration.highestBrought}
local FOREVER = 9999999999999
local SETTLE = tonumber(ARGV[#ARGV])
local TOMBSTONE = 2 * SETTLE
local LATE = ${lateMillis}

local clock = redis.call('TIME')
local micros = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local now = math.floor(micros / 1000)
-- The place of a change made now in the order of changes.
local place = micros

local function digits(text, first, last)
  local part = string.sub(text, first, last)
  if #part == last - first + 1 and string.match(part, '^[0-9]+$') then return tonumber(part) end
end

local function usable(number)
  if number and number > 0 and number <= HIGHEST then return number end
  return 0
end

local function wide(number) return string.format('%016.0f', number) end
local function time(number) return string.format('%013.0f', math.min(number, FOREVER)) end

-- Handle refusals for this one reason; pass any other error to the caller.
local function refusedFor(reason, reply, ...)
  if type(reply) ~= 'table' or not reply.err then return false end
  if not string.find(reply.err, reason, 1, true) then redis.call(...) end
  return true
end

local function header(key)
  local found = redis.pcall('GETRANGE', key, 0, 95)
  if not refusedFor('WRONGTYPE', found, 'GETRANGE', key, 0, 95) then return found end
  redis.call('UNLINK', key)
  return ''
end

${tell}
local head = header(KEYS[1])
local kind = string.sub(head, 1, 3)
local isTombstone = kind == 'L1T' and #head == 19 and (digits(head, 4, 19) or LIMIT + 1) <= LIMIT
local isValue = head ~= '' and not isTombstone
local version = 0
if isTombstone or (kind == 'L1V' and #head == 96) then version = usable(digits(head, 4, 19)) end

local record = KEYS[2] and header(KEYS[2]) or ''
local lease = nil
if #record == 42 and string.match(record, '^[0-9]+$') then
  lease = { token = usable(digits(record, 1, 16)), till = digits(record, 17, 29), failed = digits(record, 30, 42) }
end

local function nextNumber(known)
  if known > BROUGHT then known = 0 end
  return math.max(place, version + 1, lease and lease.token + 1 or 1, known + 1)
end

local function keep(key, bytes, life)
  local done = redis.pcall('SET', key, bytes, 'PX', life)
  if not refusedFor('OOM', done, 'SET', key, bytes, 'PX', life) then return end
  redis.call('UNLINK', key)
  redis.call('SET', key, bytes, 'PX', life)
end

local function keepLease(token, till, failed, life)
  keep(KEYS[2], wide(token) .. time(till) .. time(failed), life)
end

-- Whether this script has left a tombstone in place of a value.
local isBuried = false

-- The bytes that this script has stored.
local stored = nil

local function publish(kind, rest) tell(ARGV[#ARGV - 4], ARGV[#ARGV - 3], '${format}' .. kind .. rest) end

local function publishChange(number)
  local most, key = tonumber(ARGV[#ARGV - 2]), ARGV[#ARGV - 1]
  local kind, rest = isBuried and 'r' or 'c', key
  if stored and #stored <= most and #key <= 9999 then
    kind, rest = 'p', string.format('%04d', #key) .. key .. stored
  end
  publish(kind, wide(number) .. rest)
end

-- A value with a life below LATE may expire before an older change arrives: the lease record keeps its number.
local function changed(number, life)
  if life and life ~= 'forever' and life ~= '0' and tonumber(life) < LATE then keepLease(number, 0, 0, SETTLE)
  else redis.call('UNLINK', KEYS[2]) end
  publishChange(number)
end

local function bury(number)
  keep(KEYS[1], 'L1T' .. wide(number), TOMBSTONE)
  isBuried = true
end

-- The number of the newest mark. Without floors all marks are lost: return the number of a mark set now.
local function lastMark()
  if not KEYS[3] then return '' end
  local read = { 'HMGET', KEYS[3], 'last' }
  local fields = redis.pcall(unpack(read))
  if refusedFor('WRONGTYPE', fields, unpack(read)) then return wide(micros) end
  return wide(digits(fields[1] or '', 1, 16) or micros)
end

local function store(number, envelope, life)
  if life == '0' then
    bury(number)
    return 'kept'
  end
  local bytes = string.sub(envelope, 1, 3) .. wide(number) .. string.sub(envelope, 20)
  local set = { 'SET', KEYS[1], bytes }
  if life ~= 'forever' then
    set[4], set[5] = 'PX', life
  end
  if not refusedFor('OOM', redis.pcall(unpack(set)), unpack(set)) then
    stored = bytes
    return 'kept'
  end
  redis.call('UNLINK', KEYS[1])
  if head ~= '' then bury(number) end
  return 'refused'
end
`

const script = (body: string): string => `${prelude}${body}`

/**
 * ARGV: the time at which the caller gives up, after which no lease is granted; known, lease in ms,
 * `force`, or `despite` a failure, or neither.
 */
export const acquire = script(`
if now >= tonumber(ARGV[1]) then return { 'Late', now } end
local known, life = tonumber(ARGV[2]), tonumber(ARGV[3])
if ARGV[4] ~= 'force' then
  if isValue and version > known then return { 'Newer', now, redis.call('GET', KEYS[1]) } end
  if lease then
    if lease.till > now and lease.token > version then return { 'Busy', now, lease.till - now } end
    if lease.failed > now and ARGV[4] ~= 'despite' then return { 'Failed', now, lease.failed - now } end
  end
end
local token = nextNumber(known)
keepLease(token, now + life, 0, math.max(life, SETTLE))
return { 'Won', now, wide(token), wide(version) }
`)

const decideCommit = `
local token = tonumber(ARGV[1])
local function decide()
  if version >= token then return 'Superseded' end
  if not lease then return 'Lost' end
  if lease.token ~= token then return 'Superseded' end
  if lease.till == 0 then return 'Lost' end
  return 'Stored'
end
`

/** ARGV: token, lease in ms. */
export const renew = script(`${decideCommit}
local life = tonumber(ARGV[2])
if decide() ~= 'Stored' then return 0 end
keepLease(token, now + life, 0, math.max(life, SETTLE))
return 1
`)

/** ARGV: token, failure in ms. Tells the nodes that wait for the lease. */
export const release = script(`
local failure = tonumber(ARGV[2])
if not lease or lease.token ~= tonumber(ARGV[1]) or lease.till == 0 then return 0 end
local life = math.max(redis.call('PTTL', KEYS[2]), failure, 1)
keepLease(lease.token, 0, failure > 0 and now + failure or 0, life)
publish('l', ARGV[#ARGV - 1])
return 1
`)

/** ARGV: token, envelope, life in ms. */
export const commit = script(`${decideCommit}
local decision = decide()
if decision ~= 'Stored' then return { decision, 'kept', '' } end
local kept = store(token, ARGV[2], ARGV[3])
changed(token, ARGV[3])
return { decision, kept, lastMark() }
`)

/** ARGV: version, envelope, life in ms. */
export const put = script(`
local number = tonumber(ARGV[1])
local may = number > version and (not lease or number > lease.token or (number == lease.token and lease.till > 0))
if not may then return { 0, 'kept' } end
local kept = store(number, ARGV[2], ARGV[3])
changed(number, ARGV[3])
return { 1, kept }
`)

/**
 * ARGV: version. A dropped version that is ahead of the clock stays in the record of an ended
 * lease: later numbers must be higher.
 */
export const drop = script(`
if version > tonumber(ARGV[1]) then return 0 end
redis.call('UNLINK', KEYS[1])
if version >= micros and (not lease or lease.token < version) then keepLease(version, 0, 0, SETTLE) end
return 1
`)

/**
 * First ARGV of a change that is made now: the time at which the sender gives it up. A late change
 * takes the place of that moment in the order. It is refused when an entry or lease is newer, or
 * when so much time has passed that a newer one may be forgotten.
 */
const change = `
local function isTooLate()
  local latest = tonumber(ARGV[1])
  if now < latest then return false end
  if now >= latest + LATE then return true end
  place = math.min(micros, latest * 1000)
  return math.max(version, lease and lease.token or 0) >= place
end
`

/** The end of freshness or of revalidation grace of an envelope, at the latest now. */
const past = `
local function past(text, first, last)
  local at = digits(text, first, last)
  return at and time(math.min(at, now)) or string.sub(text, first, last)
end
`

/**
 * A change that carries its place in the order. A higher lease stays: its lookup began after the
 * change.
 */
const delayed = `
-- The value was stored before the change, and its version is that of a later expire.
local function isExpiredSince(place)
  if kind ~= 'L1V' or #head ~= 96 then return false end
  local fresh, storedAt = digits(head, 20, 32), digits(head, 59, 71)
  return fresh and storedAt and fresh * 1000 <= version and storedAt * 1000 < place
end
-- The number of a change with this place; nil when it is overtaken.
local function numberAt(place)
  if version < place then return place end
  if isExpiredSince(place) then return version + 1 end
end
local function delayedChange(place, number)
  if not lease or lease.token <= place then redis.call('UNLINK', KEYS[2]) end
  publishChange(number)
end
`

/** More ARGV: known, envelope, life in ms. */
export const set = script(`${change}
if isTooLate() then return { 'Late', now } end
local number = nextNumber(tonumber(ARGV[2]))
local kept = store(number, ARGV[3], ARGV[4])
changed(number, ARGV[4])
return { wide(number), now, kept, lastMark() }
`)

/**
 * ARGV: its place, envelope, life in ms. A higher number in the record of a lease: a lookup, or an
 * `expire` that found no value, came after the change, so the value is no longer fresh. Nor is it where
 * an older value was expired after the change.
 */
export const setAt = script(`${delayed}${past}
local at = usable(tonumber(ARGV[1]))
local number = numberAt(at)
if not number then return { wide(version), now, 'kept', '' } end
local envelope, kept = ARGV[2], 'kept'
if number > at or (lease and lease.token > at) then
  envelope = string.sub(envelope, 1, 19) .. past(envelope, 20, 32) .. past(envelope, 33, 45) .. string.sub(envelope, 46)
end
if micros - at > SETTLE * 1000 then bury(number) else kept = store(number, envelope, ARGV[3]) end
delayedChange(at, number)
return { wide(number), now, kept, lastMark() }
`)

/** More ARGV: known. */
export const remove = script(`${change}
if isTooLate() then return { 'Late', now } end
local number = nextNumber(tonumber(ARGV[2]))
bury(number)
changed(number)
return { wide(number), now, 'kept' }
`)

/** ARGV: its place. */
export const removeAt = script(`${delayed}
local at = usable(tonumber(ARGV[1]))
local number = numberAt(at)
if not number then return { wide(version), now, 'kept' } end
bury(number)
delayedChange(at, number)
return { wide(number), now, 'kept' }
`)

/**
 * More ARGV: known. Without a stored value the record of an ended lease carries the
 * version. Version, freshUntil and revalidateUntil are neighbours in the header; patched in place,
 * the value keeps its own end.
 */
export const expire = script(`${change}${past}
if isTooLate() then return { 'Late', now } end
local number = nextNumber(tonumber(ARGV[2]))
if not isValue then
  keepLease(number, 0, 0, SETTLE)
  publishChange(number)
  return { wide(number), now, 'kept' }
end
local stale = kind == 'L1V' and #head == 96 and digits(head, 46, 58) or 0
if stale > now then
  redis.call('UNLINK', KEYS[2])
  redis.call('SETRANGE', KEYS[1], 3, wide(number) .. past(head, 20, 32) .. past(head, 33, 45))
else
  bury(number)
end
changed(number)
return { wide(number), now, 'kept' }
`)

/** Removes a name that is not a string: no tier wrote it. KEYS: the entry. */
export const clear = `
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind == 'string' or kind == 'none' then return 0 end
return redis.call('UNLINK', KEYS[1])
`
