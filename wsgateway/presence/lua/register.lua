-- Make a connection the owner of a user; the last one to register wins.
--
-- KEYS[1]  presence:{user}
-- ARGV[1]  gateway id     ARGV[2]  connection id     ARGV[3]  ttl, ms
-- returns  { epoch, displaced gateway, displaced connection, displaced epoch }
--          with '' '' '' when nobody was displaced
--
-- Why: the epoch is made here, by the one clock every gateway shares, and never goes back:
--      max(stored + 1, TIME). Gateway clocks are not compared.
-- 原因：纪元（epoch）在这里由所有网关共用的时钟产生，且只增不减：max(已存值 + 1, TIME)；
--      绝不比较各网关自己的时钟。
local old = redis.call('HMGET', KEYS[1], 'gatewayId', 'connId', 'timestamp')
local time = redis.call('TIME')
local epoch = time[1] * 1000000 + time[2]
local stored = tonumber(old[3])
if stored and stored >= epoch then epoch = stored + 1 end
-- A Lua number prints 1.79e+15 by default; %.0f keeps all 16 digits (exact below 2^53).
local text = string.format('%.0f', epoch)
redis.call('HSET', KEYS[1], 'gatewayId', ARGV[1], 'connId', ARGV[2], 'timestamp', text)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { text, old[1] or '', old[2] or '', old[3] or '' }
