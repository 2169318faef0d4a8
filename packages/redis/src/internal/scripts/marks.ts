/**
 * The scripts that work on the marks of one larder. KEYS: a sorted set of marks, `k` or `d` (keeps
 * the stale value, or drops it) and `:tag`, or nothing for everything, by number; and a hash of
 * floors: `last`, `floor`, `dropFloor`, `lastDrop`, the number of the last mark that drops, and
 * `marked`, that of the last mark.
 *
 * When some are lost, the floors rise, and entries that the lost marks covered are no longer fresh:
 *
 * - No floors: everything was lost, or the larder is new. They begin at the current time.
 * - No marks though there were some: the floors rise to the last number.
 * - A last number below one that this node has seen here: they rise to that.
 *
 * The floor below which entries are gone rises with it when marks that drop may be among the lost
 * ones: when this node has seen one, when the marks exist without floors, or when the server evicts
 * keys that never expire, so that marks can be lost while entries are not.
 */
import { Arbitration } from "@larder/core"
import { marksTrimmedPerMark } from "../limits.ts"
import { format, tell } from "./tell.ts"

/**
 * ARGV from `first` on: since, the highest number and the highest dropping number seen here, and
 * how many marks to return at most.
 */
const prelude = (first: number): string => `
local MARKS, FLOORS = KEYS[1], KEYS[2]
local clock = redis.call('TIME')
local micros = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local since, seen, seenDrop = tonumber(ARGV[${first}]), tonumber(ARGV[${first + 1}]), tonumber(ARGV[${first + 2}])
local most = tonumber(ARGV[${first + 3}])

local function wide(number) return string.format('%016.0f', number) end
local function plain(number) return string.format('%.0f', number) end

local function evicts()
  local info = redis.pcall('INFO', 'memory')
  return type(info) ~= 'string' or not string.match(info, 'maxmemory_policy:noeviction')
    and not string.match(info, 'maxmemory_policy:volatile')
end

-- A key of another type holds no marks of a tier; pass any other error to the caller.
local function isForeign(reply, ...)
  if type(reply) ~= 'table' or not reply.err then return false end
  if not string.find(reply.err, 'WRONGTYPE', 1, true) then redis.call(...) end
  return true
end

local count = redis.pcall('ZCARD', MARKS)
if isForeign(count, 'ZCARD', MARKS) then
  redis.call('UNLINK', MARKS)
  count = 0
end
local read = { 'HMGET', FLOORS, 'last', 'floor', 'dropFloor', 'lastDrop', 'marked' }
local fields = redis.pcall(unpack(read))
if isForeign(fields, unpack(read)) then
  redis.call('UNLINK', FLOORS)
  fields = {}
end
local function field(i)
  local number = tonumber(fields[i] or nil)
  if number and number >= 0 and number <= ${Arbitration.highestRecorded} and number == math.floor(number) then return number end
end
local last, floor, dropFloor, lastDrop, marked = field(1), field(2), field(3), field(4), field(5)

local function keep()
  -- A write that needs no memory, so that Redis allows the next one when memory is full.
  redis.call('ZREMRANGEBYRANK', MARKS, 1, 0)
  redis.call('HSET', FLOORS, 'last', wide(last), 'floor', wide(floor), 'dropFloor', wide(dropFloor),
    'lastDrop', wide(lastDrop), 'marked', wide(marked))
end

if not (last and floor and dropFloor and lastDrop and marked) then
  local highest = redis.call('ZREVRANGE', MARKS, 0, 0, 'WITHSCORES')
  last = math.max(micros, since + 1, seen + 1, (tonumber(highest[2] or nil) or 0) + 1)
  floor = last
  dropFloor = (seenDrop > 0 or count > 0 or evicts()) and floor or 0
  lastDrop, marked = dropFloor, 0
  redis.call('UNLINK', MARKS)
  count = 0
  keep()
else
  local begun = last
  local floorWas, dropWas = floor, dropFloor
  if count == 0 and marked > floor then
    floor = last
    dropFloor = math.max(dropFloor, lastDrop)
  end
  if seen > last then
    last, floor = seen, seen
    if seenDrop > lastDrop then dropFloor, lastDrop = seenDrop, seenDrop end
  end
  if last > begun or floor > floorWas or dropFloor > dropWas then keep() end
end

local function page(after)
  local found = redis.call('ZRANGEBYSCORE', MARKS, '(' .. plain(after), '+inf', 'WITHSCORES', 'LIMIT', 0, most)
  if #found < 2 * most then return found, 0 end
  -- Return all marks with the last number, so that the next page can begin above it.
  local upTo = found[#found]
  while found[#found] == upTo do
    found[#found] = nil
    found[#found] = nil
  end
  local tied = redis.call('ZRANGEBYSCORE', MARKS, upTo, upTo)
  for i = 1, #tied do
    found[#found + 1] = tied[i]
    found[#found + 1] = upTo
  end
  return found, upTo
end

local function answer(number)
  local found, more = page(since)
  return {
    wide(number), wide(last), wide(floor), wide(dropFloor), wide(lastDrop),
    math.floor(micros / 1000), tostring(more), found
  }
end
`

/** Reads; writes only when marks are lost or the larder is new. */
export const marks = `${prelude(1)}
return answer(0)
`

/**
 * ARGV: the time at which the sender gives up, those above, the kind, the most marks, how long to
 * keep them in microseconds, the channel, the sharded channel, the tags in JSON, members. A late mark is refused: it
 * would cover values that were set meanwhile.
 */
export const mark = `${prelude(2)}${tell}
if micros >= tonumber(ARGV[1]) * 1000 then return { 'Late', math.floor(micros / 1000) } end
local kind, cap, retention, channel, tags = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], ARGV[11]
local previous = last
local number = math.max(micros, last + 1, since + 1)
redis.call('ZREMRANGEBYRANK', MARKS, 1, 0)
for i = 12, #ARGV do redis.call('ZADD', MARKS, plain(number), ARGV[i]) end
last = number
if #ARGV > 11 then
  marked = number
  if kind == 'd' then lastDrop = number end
end

local old = redis.call('ZCOUNT', MARKS, '-inf', plain(math.max(micros - retention, 0)))
local excess = redis.call('ZCARD', MARKS) - cap
local surplus = math.min(math.max(old, excess), math.max(${marksTrimmedPerMark}, 2 * (#ARGV - 11)))
if surplus > 0 then
  local gone = redis.call('ZRANGE', MARKS, 0, surplus - 1, 'WITHSCORES')
  for i = 1, #gone, 2 do
    local score = tonumber(gone[i + 1])
    floor = math.max(floor, score)
    if string.sub(gone[i], 1, 1) == 'd' then dropFloor = math.max(dropFloor, score) end
  end
  redis.call('ZREMRANGEBYRANK', MARKS, 0, surplus - 1)
end
keep()
tell(channel, ARGV[10], '${format}m' .. wide(previous) .. wide(number) .. wide(floor) .. wide(dropFloor) .. kind .. tags)
return answer(number)
`
