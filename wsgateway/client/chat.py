"""A terminal chat: what lines mean, and how the client's news are worded."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncIterator

from wsgateway.client import words
from wsgateway.client.client import Client
from wsgateway.client.errors import SendRefused
from wsgateway.client.events import (
    Connected,
    Disconnected,
    Event,
    LateFailure,
    Retrying,
    Unreachable,
)
from wsgateway.client.terminal import Screen
from wsgateway.protocol import Status, is_id

HELP = """\
bob: hi     send hi to bob, once              给 bob 发一条 hi
/to bob     lines without a name go to bob    之后不带名字的行都发给 bob
/quit       leave once all statuses are in    等所有状态返回后退出
delivered   written to the recipient's socket 已写入收件人的套接字
routed      Redis counted a subscriber there  Redis 数到目标网关有订阅者
accepted    the in-sync replicas hold it      同步副本已保存
offline     no presence, or no subscriber     没有在线记录，或没有订阅者
unknown     a timeout, nobody can tell        超时，无从得知"""

_ONCE = re.compile(r"([A-Za-z0-9_-]{1,64}):[ \t]+(.*\S.*)")
_SENT_KEPT = 1000
_TO_WHOM = "to whom? /to bob, or bob: hi"


class Chat:
    """One conversation: lines go out as messages, messages come in as lines.

    `tell` is the `on_event` of the client it then runs with.

    Args:
        screen: where to write.
        to: the first addressee, or None.
        timeout_s: deadline of each send, seconds.
        at_once: sends that may wait for their status at the same time.
    """

    def __init__(self, screen: Screen, *, to: str | None, timeout_s: float, at_once: int) -> None:
        self.failed = False
        self._screen = screen
        self._to = to
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(at_once)
        self._sent: OrderedDict[str, str] = OrderedDict()
        self._gateway: str | None = None

    async def run(self, client: Client, lines: AsyncIterator[str]) -> None:
        """Talk until the lines end or say `/quit`, and all statuses are in.

        Raises:
            ExceptionGroup: of `Replaced`, when the user registered elsewhere.
        """
        self._show_prompt(client.user)
        async with asyncio.TaskGroup() as tasks:
            receiving = tasks.create_task(self._receive(client))
            async with asyncio.TaskGroup() as sends:
                async for line in lines:
                    if line.strip() == "/quit":
                        break
                    parsed = self._understand(line.strip(), client.user)
                    if parsed is not None:
                        await self._slots.acquire()
                        sends.create_task(self._send(client, *parsed))
            receiving.cancel()

    def tell(self, event: Event) -> None:
        """Word an event of the client."""
        if isinstance(event, Connected):
            again = "connected" if self._gateway is None else "connected again, now"
            self._gateway = event.gateway_id
            text = f"{again} to {event.gateway_id} at {event.url}"
        elif isinstance(event, Disconnected):
            text = f"lost {self._gateway}: {words.of_close(event.code, event.reason)}"
        elif isinstance(event, Unreachable):
            text = f"cannot register at {event.url}: {event.reason}"
        elif isinstance(event, Retrying):
            soon = "now" if event.delay_s < 0.05 else f"in {event.delay_s:.1f} s"
            text = f"trying {event.url} {soon}"
        else:
            text = self._late(event)
        self._screen.print(f"* {text}")

    def _late(self, event: LateFailure) -> str:
        sent = self._sent.get(event.id, f"message {event.id}")
        fate = (
            "nobody can tell whether it arrived"
            if event.code == Status.UNKNOWN
            else "did not arrive after all"
        )
        return f"{fate}: {sent}  [{event.code}]"

    def _understand(self, line: str, user: str) -> tuple[str, str] | None:
        """Return (to, content) to send, or None if the line was a command or nothing."""
        if line == "/help":
            for row in HELP.splitlines():
                self._screen.print(row)
        elif line == "/to":
            self._fail(_TO_WHOM)
        elif line.startswith("/to "):
            self._address(line.removeprefix("/to ").strip(), user)
        elif line.startswith("/"):
            self._fail(f"no such command: {line.split()[0]}; try /help")
        elif once := _ONCE.fullmatch(line):
            return once[1], once[2]
        elif line and self._to is None:
            self._fail(_TO_WHOM)
        elif line:
            return str(self._to), line
        return None

    def _address(self, to: str, user: str) -> None:
        if is_id(to):
            self._to = to
            self._show_prompt(user)
        else:
            self._fail("a user id is 1 to 64 of A-Z a-z 0-9 _ -")

    def _show_prompt(self, user: str) -> None:
        self._screen.prompt = f"{user}> " if self._to is None else f"{user} to {self._to}> "
        self._screen.redraw()

    def _fail(self, text: str) -> None:
        self.failed = True
        self._screen.print(f"* {text}")

    async def _receive(self, client: Client) -> None:
        async for message in client:
            self._screen.print(f"{message.from_user}: {message.content}")

    async def _send(self, client: Client, to: str, content: str) -> None:
        message_id = client.new_id()
        sent = self._sent[message_id] = f"-> {to}: {content}"
        if len(self._sent) > _SENT_KEPT:
            self._sent.popitem(last=False)
        try:
            status = await client.send(to, content, id=message_id, timeout_s=self._timeout_s)
            self._screen.print(f"{sent}  [{status}]")
        except SendRefused as error:
            self._fail(f"refused: {sent}  [{error.code}] {error.message}")
        finally:
            self._slots.release()
