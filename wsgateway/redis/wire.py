"""The bytes of one connection to Redis: commands out, replies in, and nothing in between."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Self, cast

import hiredis
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from wsgateway.errors import RedisUnavailable

Command = tuple[str | bytes | int, ...]
_NOTHING = object()
# Why: left to itself, uvloop reads 256 KiB at once, and again while they come back full, up to
# 8 MiB: for a gateway that has fallen behind, 40,000 messages and 0.3 s in which nobody else is
# heard. This much are some 150, heard within 2 ms.
# 原因：放任 uvloop 的话，它一次读 256 KiB，只要每次都读满就一直读下去，最多 8 MiB：
# 对一个落后的网关来说，那是 4 万条消息，0.3 秒内谁也得不到处理。现在一次约 150 条，2 毫秒之内。
_AT_ONCE_BYTES = 32 * 1024
_pack: Callable[[Command], bytes] = cast(Any, hiredis.pack_command)  # its stub wants tuples of one


class Wire(asyncio.BufferedProtocol):
    """One open connection.

    Args:
        on_reply: told every reply and every published message, in the very turn of the event
            loop that brought it. A refusal is a `hiredis.ReplyError`.
        on_lost: told once why the connection ended, unless `close` ended it.
    """

    # Why: redis-py dials, for it knows TLS, logins, databases and Sentinels; then its transport
    # becomes ours. Its streams wake a task for each reply and its parser waits in coroutines:
    # 200 us of CPU per command, where packing, writing and reading one takes 12 us.
    # 原因：拨号交给 redis-py，TLS、登录、选库、哨兵它都会；之后把它的 transport 接管过来。
    # 它的流每来一个应答就唤醒一个任务，解析器又在协程里等：每条命令 200 微秒 CPU，
    # 而打包、写出、读回本身只要 12 微秒。

    def __init__(
        self, on_reply: Callable[[Any], None], on_lost: Callable[[RedisUnavailable], None]
    ) -> None:
        self._on_reply = on_reply
        self._on_lost = on_lost
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._buffer = memoryview(bytearray(_AT_ONCE_BYTES))
        self._transport: asyncio.Transport | None = None
        self._writer: asyncio.StreamWriter | None = None

    @classmethod
    async def dial(
        cls,
        pool: ConnectionPool,
        on_reply: Callable[[Any], None],
        on_lost: Callable[[RedisUnavailable], None],
        timeout_s: float,
    ) -> Self:
        """Return an open connection, logged in.

        Args:
            pool: knows where and how; none of its connections is used by anyone else.
            on_reply: see the class.
            on_lost: see the class.
            timeout_s: bound on all of it, seconds.

        Raises:
            RedisUnavailable: nobody there, a refusal, or no answer in time.
        """
        untyped: Any = pool  # redis-py does not say what it returns
        connection = untyped.make_connection()
        try:
            async with asyncio.timeout(timeout_s):
                await connection.connect()
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if isinstance(error, RedisError | OSError | TimeoutError):
                why = str(error) or "no answer in time"
                raise RedisUnavailable(f"Redis did not answer: {why}") from error
            raise
        wire = cls(on_reply, on_lost)
        wire._take_over(connection)
        return wire

    def _take_over(self, connection: Any) -> None:
        writer: asyncio.StreamWriter = connection._writer
        connection._reader = connection._writer = None  # or it would close what is ours
        self._writer = writer  # collected, it too would close the transport
        transport = cast(asyncio.Transport, writer.transport)
        if transport.is_closing():  # its end was told to the protocol before us
            raise RedisUnavailable("Redis did not answer: it closed the connection")
        transport.pause_reading()  # uvloop looks how to read only when it begins to
        transport.set_protocol(self)
        transport.resume_reading()
        self._transport = transport

    def write(self, commands: Iterable[Command]) -> None:
        """Send commands, all in one piece."""
        if self._transport is not None:
            self._transport.write(b"".join(map(_pack, commands)))

    def close(self) -> None:
        """End it; nothing is told any more. Safe to call twice."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    def fail(self, why: str) -> None:
        """End it and say so to `on_lost`, unless it has ended already."""
        if self._transport is not None:
            self.close()
            self._on_lost(RedisUnavailable(f"Redis did not answer: {why}"))

    def get_buffer(self, sizehint: int) -> memoryview:
        """See `asyncio.BufferedProtocol`."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        reader = self._reader
        reader.feed(cast(bytes, self._buffer[:nbytes]))  # its stub knows no other buffers
        try:
            while (reply := reader.gets()) is not _NOTHING and self._transport is not None:
                self._on_reply(reply)
        except hiredis.ProtocolError as error:
            self.fail(f"what came is not RESP: {error}")
        transport = self._transport
        if nbytes == _AT_ONCE_BYTES and transport is not None and not transport.is_closing():
            transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.fail(str(error) if error else "it closed the connection")
