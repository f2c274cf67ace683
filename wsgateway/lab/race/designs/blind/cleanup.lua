-- The user has left: remove the record, whosever it is.
--
-- KEYS[1]  presence:{user}
-- ARGV[1]  connection id   ARGV[2]  the gateway's clock
-- returns  how many records were removed
return redis.call('DEL', KEYS[1])
