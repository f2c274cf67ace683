"""Lesson 3, who owns this user: wrong answers, and a word of the hint each must get."""

WRONG = {
    "3.1": {
        "writes whatever is there": (
            "refresh = \"redis.call('HSET', KEYS[1], 'gatewayId', ARGV[1], 'connId', ARGV[2], "
            "'timestamp', ARGV[3]) redis.call('PEXPIRE', KEYS[1], ARGV[4]) return 'refreshed'\"",
            "a refresh replaced a newer session",
        ),
        "compares connections alone": (
            'refresh = """\n'
            "local owner = redis.call('HGET', KEYS[1], 'connId')\n"
            "if owner and owner ~= ARGV[2] then return 'superseded' end\n"
            "redis.call('HSET', KEYS[1], 'gatewayId', ARGV[1], 'connId', ARGV[2], "
            "'timestamp', ARGV[3])\n"
            "redis.call('PEXPIRE', KEYS[1], ARGV[4])\n"
            "return 'restored'\n"
            '"""',
            "a live session was told to go",
        ),
        "forgets the TTL": (
            "refresh = \"redis.call('HSET', KEYS[1], 'connId', ARGV[2])\"",
            "PEXPIRE is missing",
        ),
    },
    "3.2": {
        "deletes whatever is there": (
            "cleanup = \"return redis.call('DEL', KEYS[1])\"",
            "a cleanup altered another session's record",
        ),
        "never deletes": ("cleanup = \"return #redis.call('HKEYS', KEYS[1])\"", "of nobody stays"),
    },
    "3.3": {
        "all of them": (
            "def survivors_of(story):\n    return set(lab.race.DESIGNS)",
            "blind does not survive it",
        ),
        "the shipped one alone": (
            'def survivors_of(story):\n    return {"conn_id_epoch"}',
            "conn_id survives it",
        ),
    },
}
