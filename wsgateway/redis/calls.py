"""Script calls and commands on single keys, in pipelines: one round trip for all that waits."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from wsgateway.errors import RedisUnavailable
from wsgateway.redis.link import Link, refusal
from wsgateway.redis.nodes import Nodes
from wsgateway.redis.wire import Command

# Why: a slot may have moved to a node that is new to our scripts, and may move on meanwhile.
# 原因：槽可能迁到一个还没有我们脚本的节点，这期间还可能再迁一次。
_ROUNDS = 4


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

    def packed(self) -> Command:
        """Return it as Redis wants it."""
        if isinstance(self.command, Script):
            return ("EVALSHA", self.command.sha, 1, self.key, *self.args)
        return (self.command, self.key, *self.args)


class Pipeline:
    """Runs calls in one round trip per server and batch; use it as the `flush` of a `Batcher`.

    Args:
        nodes: where keys are.
        scripts: all scripts the calls may use.
    """

    def __init__(self, nodes: Nodes, *scripts: Script) -> None:
        self._nodes = nodes
        self._scripts = scripts

    async def run(self, calls: Sequence[Call]) -> list[Any]:
        """Run `calls`, in order per key; return a decoded reply or an exception for each.

        Raises:
            RedisUnavailable: no server is known that could be asked.
        """
        await self._nodes.ready()
        replies: list[Any] = [None] * len(calls)
        links: dict[int, Link] = {}
        asking: set[int] = set()
        todo = list(range(len(calls)))
        for _ in range(_ROUNDS):
            await self._run_once(calls, todo, links, asking, replies)
            todo, links, asking = await self._not_executed(calls, todo, links, asking, replies)
            if not todo:
                break
        return [_decoded(call, reply) for call, reply in zip(calls, replies, strict=True)]

    async def _run_once(
        self,
        calls: Sequence[Call],
        todo: Sequence[int],
        links: dict[int, Link],
        asking: set[int],
        replies: list[Any],
    ) -> None:
        """Send what is to do, one pipeline per server; put the replies in their places."""
        pipelines: dict[Link, tuple[list[Command], list[int | None]]] = {}
        for i in todo:
            link = links.get(i) or self._nodes.link_of(calls[i].key)
            links[i] = link
            commands, places = pipelines.setdefault(link, ([], []))
            if i in asking:
                commands.append(("ASKING",))
                places.append(None)
            commands.append(calls[i].packed())
            places.append(i)
        answers = [link.asking(commands) for link, (commands, _) in pipelines.items()]
        for (_, places), future in zip(pipelines.values(), answers, strict=True):
            answer = await future
            each = answer if isinstance(answer, list) else [answer] * len(places)
            for place, reply in zip(places, each, strict=True):
                if place is not None:
                    replies[place] = reply

    async def _not_executed(
        self,
        calls: Sequence[Call],
        todo: Sequence[int],
        links: dict[int, Link],
        asked: set[int],
        replies: Sequence[Any],
    ) -> tuple[list[int], dict[int, Link], set[int]]:
        """Return which calls to run (again), where if that is known, and which by ASKING."""
        # Why: NOSCRIPT, MOVED and ASK say that a call did not run, so it may be sent again: the
        # only retry there is. Reads behind it are repeated too, for they were answered before
        # it ran.
        # 原因：NOSCRIPT、MOVED、ASK 都表明调用没有执行，可以重发，这也是唯一的重试。
        # 排在它后面的读取也要重来，因为它们抢在它之前得到了答复。
        again: list[int] = []
        elsewhere: dict[int, Link] = {}
        asking: set[int] = set()
        new_to_us: dict[Link, None] = {}
        for i in todo:
            why = refusal(replies[i])
            if why is not None and why.startswith("NOSCRIPT"):
                again.append(i)
                elsewhere[i] = links[i]
                new_to_us[links[i]] = None
                asking |= asked & {i}
            elif why is not None and (link := self._nodes.redirected(why)):
                again.append(i)
                elsewhere[i] = link
                if why.startswith("ASK "):
                    asking.add(i)
            elif isinstance(replies[i], RedisUnavailable):
                self._nodes.suspect()
            elif again and isinstance(calls[i].command, str):
                again.append(i)
                elsewhere[i] = links[i]
        for link in new_to_us:
            await self._load(link)
        return again, elsewhere, asking

    async def _load(self, link: Link) -> None:
        # Why: all of them, used or not. Were only some known again, a later batch could run an
        # unregister at once and the refresh before it on the second try: a ghost would stay.
        # 原因：不管用没用到，全部加载。若只恢复一部分，后面某批里的注销会立即执行，
        # 而排在它前面的刷新要等重发才执行，就会留下幽灵记录。
        await link.ask([("SCRIPT", "LOAD", script.source) for script in self._scripts])


def _decoded(call: Call, reply: Any) -> Any:
    """Return the decoded reply, or an exception that fails this call alone."""
    if isinstance(reply, RedisUnavailable):
        return reply
    why = refusal(reply)
    if why is not None:
        return RedisUnavailable(why)
    try:
        return call.decode(reply)
    except ValueError as error:  # a record that somebody else wrote
        return RedisUnavailable(f"unexpected reply: {error}")
