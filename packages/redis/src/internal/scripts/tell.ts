/** How scripts publish a message: in the script that changes what it tells of. */

/**
 * The format of messages, their first digits. A node that reads an older format takes a message of a
 * newer one for a gap.
 */
export const format = 1

/**
 * In a Cluster, a message goes on a sharded channel, which only the nodes of one master pass on. Redis
 * refuses it before Redis 7, and where the slot of the channel is on another master than that of the
 * key. Then the message goes on the larder's own channel, which every node listens to on every master.
 */
export const tell = `
local function tell(channel, shard, text)
  if shard ~= '' and type(redis.pcall('SPUBLISH', shard, text)) == 'number' then return end
  redis.call('PUBLISH', channel, text)
end
`
