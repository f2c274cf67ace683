"""Connections to Redis, set up for a gateway: no hidden retries, bounded waits, clear errors."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from wsgateway.errors import RedisUnavailable


def connect(url: str, timeout_s: float | None) -> Redis:
    """Return a client for `url`; nothing is sent yet.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        timeout_s: bound on each reply, seconds; None waits for ever (a subscriber).
    """
    # Why: redis-py repeats a failed command ten times by default. A repeated PUBLISH is a
    # duplicate and a repeated register displaces its own user, so retrying is our decision.
    # 原因：redis-py 默认把失败的命令重试十次。重复的 PUBLISH 就是重复消息，
    # 重复的 register 会顶掉自己，所以是否重试由我们决定。
    return Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s or 2.0,
    )


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and its SHA-1, by which Redis knows it."""

    name: str
    source: str
    sha: str

    @classmethod
    def load(cls, name: str) -> "Script":
        """Read `wsgateway/presence/lua/<name>.lua`."""
        source = (files("wsgateway.presence") / "lua" / f"{name}.lua").read_text("utf-8")
        return cls(name, source, hashlib.sha1(source.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Call:
    """One script call or plain command on a single key, and how to read its reply."""

    command: Script | str
    key: str
    args: tuple[str | int, ...]
    decode: Callable[[Any], Any]


class Pipeline:
    """Runs calls in one round trip each batch; use it as the `flush` of a `Batcher`.

    Args:
        redis: where to.
        scripts: all scripts the calls may use.
    """

    def __init__(self, redis: Redis, *scripts: Script) -> None:
        self._redis = redis
        self._scripts = scripts

    async def run(self, calls: Sequence[Call]) -> list[Any]:
        """Run `calls` in order; return a decoded reply or an exception for each.

        Raises:
            RedisUnavailable: no reply; which of the calls were executed is not known.
        """
        results = await self._run_once(calls)
        missing = _not_executed(calls, results)
        if missing:
            await self._load()
            again = await self._run_once([calls[i] for i in missing])
            for i, result in zip(missing, again, strict=True):
                results[i] = result
        return [_decoded(call, result) for call, result in zip(calls, results, strict=True)]

    async def _run_once(self, calls: Sequence[Call]) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for call in calls:
            if isinstance(call.command, Script):
                pipeline.execute_command("EVALSHA", call.command.sha, 1, call.key, *call.args)
            else:
                pipeline.execute_command(call.command, call.key, *call.args)
        return await execute(pipeline)

    async def _load(self) -> None:
        # Why: all of them, used or not. Were only some known again, a later batch could run an
        # unregister at once and the refresh before it on the second try: a ghost would stay.
        # 原因：不管用没用到，全部加载。若只恢复一部分，后面某批里的注销会立即执行，
        # 而排在它前面的刷新要等重发才执行，就会留下幽灵记录。
        pipeline = self._redis.pipeline(transaction=False)
        for script in self._scripts:
            pipeline.execute_command("SCRIPT LOAD", script.source)
        await execute(pipeline)


def _decoded(call: Call, result: Any) -> Any:
    """Return the decoded reply, or an exception that fails this call alone."""
    if isinstance(result, RedisError):
        return RedisUnavailable(str(result))
    try:
        return call.decode(result)
    except ValueError as error:  # a record that somebody else wrote
        return RedisUnavailable(f"unexpected reply: {error}")


def _not_executed(calls: Sequence[Call], results: Sequence[Any]) -> list[int]:
    """Return which calls to run (again) because Redis had forgotten a script."""
    # Why: NOSCRIPT says a script did not run, so it may be sent again: the only retry there is.
    # Reads behind it are repeated too, for they were answered before it ran.
    # 原因：NOSCRIPT 表明脚本没有执行，可以重发，这也是唯一的重试。
    # 排在它后面的读取也要重来，因为它们抢在脚本之前得到了答复。
    missing: list[int] = []
    for i, (call, result) in enumerate(zip(calls, results, strict=True)):
        if isinstance(result, NoScriptError) or (missing and isinstance(call.command, str)):
            missing.append(i)
    return missing


async def execute(pipeline: Any) -> list[Any]:
    """Execute a pipeline; return results, or `RedisError`s for single commands that failed.

    Raises:
        RedisUnavailable: the connection failed or timed out.
    """
    try:
        return list(await pipeline.execute(raise_on_error=False))
    except (RedisError, OSError) as error:
        raise RedisUnavailable(f"Redis did not answer: {error}") from error
