import { createHash } from 'node:crypto'

/** A script that Redis runs in one go. */
export interface Script {
  readonly source: string
  readonly sha: string
}

/** The rules of register.ts. For each key two answers: its epoch and who had it before; or '' and who has it now. */
export const claimScript = script(`
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local node, life = ARGV[1], ARGV[2]
local answers = {}
for index, key in ipairs(KEYS) do
  local epoch, age, first = tonumber(ARGV[3 * index]), tonumber(ARGV[3 * index + 1]), ARGV[3 * index + 2]
  local held, holder = string.match(redis.call('GET', key) or '', '^(%d+) (.+)$')
  held = tonumber(held or 0)
  local others = holder ~= nil and holder ~= node
  if epoch == 0 then
    epoch = now - age
    if first == '1' and held > now then epoch = held + 1 end
  end
  if others and epoch <= held then
    table.insert(answers, '')
    table.insert(answers, holder)
  else
    if not others then epoch = math.max(epoch, held) end
    local text = string.format('%.0f', epoch)
    redis.call('SET', key, text .. ' ' .. node, 'PX', life)
    table.insert(answers, text)
    table.insert(answers, others and holder or '')
  end
end
return answers
`)

export const releaseScript = script(`
for _, key in ipairs(KEYS) do
  local _, holder = string.match(redis.call('GET', key) or '', '^(%d+) (.+)$')
  if holder == ARGV[1] then redis.call('DEL', key) end
end
return 0
`)

/** The entry of a node, and the set of all that are alive. Whether the entry was there, and how many they are. */
export const beatScript = script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
return { known, redis.call('ZCARD', KEYS[2]) }
`)

export const leaveScript = script(`
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[1])
`)

export function script(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}
