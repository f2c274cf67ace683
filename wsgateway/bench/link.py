"""One client of the load generator: a picows connection that speaks a dialect."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from socket import SO_SNDBUF, SOL_SOCKET

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from wsgateway.bench.dialect import Dialect, Frame, Heard
from wsgateway.bench.shape import BenchError

_HANDSHAKE_S = 20.0
# Why: what a process has yet to send is no load of the server. With 1 MiB for each user, the
# flood went on for a minute after its last message was due.
# 原因：进程里还没发出去的，并不是服务器的负载。若每个用户留 1 MiB，最后一条消息到点之后，
# 洪流还会持续一分钟。
_MOST_UNSENT_BYTES = 64 * 1024
_TEXT = 0x81
_MASKED = 0x80
# Why: a client must mask, but the key may be any; with zeros the payload stays as it is. So several
# frames can be joined and go out with one write, and the load processes are not the bottleneck.
# 原因：客户端必须掩码，但密钥可任选；全零时载荷不变。这样多帧可以拼起来一次写出，
# 压测进程不会成为瓶颈。
_MASK = bytes(4)


class Link(WSListener):
    """A connected, registered user.

    Args:
        user: id.
        dialect: how to talk.
        hear: called for each frame that is not noise, and whether more are at hand.
    """

    def __init__(
        self, user: str, dialect: Dialect, hear: Callable[[Frame, bool], None] | None = None
    ) -> None:
        self.user = user
        self.full = False
        self.closed: str | None = None
        self.hear = hear
        self._dialect = dialect
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: WSTransport

    async def connect(self, url: str, local_address: str | None = None) -> None:
        """Connect and register.

        Raises:
            BenchError: the server does not let us.
        """
        source = None if local_address is None else (local_address, 0)
        try:
            async with asyncio.timeout(_HANDSHAKE_S):
                await ws_connect(
                    lambda: self, url, websocket_handshake_timeout=_HANDSHAKE_S, local_addr=source
                )
                await self._ready
        except TimeoutError:
            raise BenchError(
                f"{url}: {self.user} is not registered in {_HANDSHAKE_S:g} s"
            ) from None
        except OSError as error:
            raise BenchError(f"{url}: {error}") from None

    def write(self, payloads: Sequence[bytes]) -> None:
        """Send text frames; none go out once the connection has ended."""
        if self.closed is None:
            frames = b"".join([head(len(payload)) + _MASK + payload for payload in payloads])
            self._transport.underlying_transport.write(frames)

    async def leave(self, *, politely: bool) -> None:
        """Disconnect, with a close frame first or without a word; return once it is done."""
        if politely:
            self._transport.send_close(WSCloseCode.OK)
        else:
            self._transport.disconnect(graceful=False)
        await self._transport.wait_disconnected()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        pipe = transport.underlying_transport
        pipe.set_write_buffer_limits(_MOST_UNSENT_BYTES)
        pipe.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, _MOST_UNSENT_BYTES)
        self.write(self._dialect.hello(self.user))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not WSMsgType.TEXT:
            if frame.msg_type is WSMsgType.CLOSE:
                code = frame.get_close_code()
                self.closed = str(getattr(code, "value", code))
            return
        heard = self._dialect.read(frame.get_payload_as_bytes())
        if heard.reply is not None:
            self.write([heard.reply])
        if not self._ready.done():
            self._registered(heard)
        elif self.hear is not None:
            self.hear(heard, not frame.last_in_buffer)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.closed = self.closed or "1006"
        if not self._ready.done():
            self._ready.set_exception(BenchError(f"{self.user}: closed ({self.closed})"))

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False

    def _registered(self, heard: Frame) -> None:
        if heard.kind is Heard.READY:
            self._ready.set_result(None)
        elif heard.kind is Heard.REFUSED:
            self._ready.set_exception(BenchError(f"{self.user} is refused: {heard.text}"))


def head(size: int, masked: int = _MASKED) -> bytes:
    """Return what goes before the payload of a text frame, the mask apart."""
    if size < 126:
        return bytes((_TEXT, masked | size))
    if size < 1 << 16:
        return bytes((_TEXT, masked | 126)) + size.to_bytes(2)
    return bytes((_TEXT, masked | 127)) + size.to_bytes(8)


def endings(links: Sequence[Link]) -> dict[str, int]:
    """Return how often connections ended by themselves, by close code."""
    return dict(Counter(link.closed for link in links if link.closed is not None))
