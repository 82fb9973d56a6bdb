import { script } from './redis-scripts.ts'

/**
 * The rules of core/record-memory.ts: a record is kept when its sequence is above what is there, or when it is the
 * same; and no shorter than one before it could have been shown again. Otherwise the one that is there is the answer.
 */
export const keepScript = script(`
local told, listed, prefix, most = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers = {}
for index = 3, #KEYS do
  local key, at = KEYS[index], 6 * index - 15
  local name, sequence, expires, life, isListed, record = unpack(ARGV, at, at + 5)
  local held, kept = string.match(redis.call('GET', key) or '', '^(%d+) %d+ (.+)$')
  if held == nil or tonumber(sequence) > tonumber(held) or kept == record then
    life = math.max(tonumber(life), redis.call('PTTL', key))
    redis.call('SET', key, sequence .. ' ' .. expires .. ' ' .. record, 'PX', string.format('%.0f', life))
    redis.call('ZADD', told, now, name)
    if isListed == '1' then redis.call('ZADD', listed, 0, name) else redis.call('ZREM', listed, name) end
    table.insert(answers, '')
  else
    table.insert(answers, kept)
  end
end
local function forget(name)
  redis.call('DEL', prefix .. name)
  redis.call('ZREM', told, name)
  redis.call('ZREM', listed, name)
end
-- Each call looks at more of the oldest than it adds, so that those whose life has ended do not pile up.
for _, name in ipairs(redis.call('ZRANGE', told, 0, 2 * #KEYS)) do
  if redis.call('EXISTS', prefix .. name) == 0 then forget(name) end
end
local over = redis.call('ZCARD', told) - most
if over > 0 then
  for _, name in ipairs(redis.call('ZRANGE', told, 0, over - 1)) do forget(name) end
end
return answers
`)

/** A page of those in force: the records of the next names, without those whose life has ended. */
export const listScript = script(`
local prefix, from, count, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local answers = {}
while #answers < count do
  local names = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, count)
  if #names == 0 then break end
  for _, name in ipairs(names) do
    from = '(' .. name
    local expires, record = string.match(redis.call('GET', prefix .. name) or '', '^%d+ (%d+) (.+)$')
    if record == nil then
      redis.call('ZREM', KEYS[1], name)
    elseif tonumber(expires) > now and #answers < count then
      table.insert(answers, record)
    end
  end
end
return answers
`)
