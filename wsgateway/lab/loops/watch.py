"""Ways to wait, measured in a process of their own; see `ways`."""

import asyncio
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsgateway.brokers import Child
from wsgateway.lab.loop import shared_loop
from wsgateway.lab.loops import ways

_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Watched:
    """A ticker, while another coroutine waited once.

    Args:
        due_s: when each tick was due, seconds.
        late_s: how late it came.
        since_s, until_s: when the other began and ended to wait.
    """

    due_s: list[float]
    late_s: list[float]
    since_s: float
    until_s: float

    @property
    def worst_s(self) -> float:
        """The latest tick."""
        return max(self.late_s)

    @property
    def meanwhile(self) -> int:
        """How many ticks came while the other waited."""
        came = (due + late for due, late in zip(self.due_s, self.late_s, strict=True))
        return sum(self.since_s < at < self.until_s for at in came)


@dataclass(frozen=True, slots=True)
class Waits:
    """What was measured.

    Args:
        awaited, threaded, blocking, nested: the ticker beside each way to wait.
        asked_s: caller of a nested loop -> seconds it asked for.
        took_s: and what it got, in the order in which they came back.
        task: where `asyncio.Task` comes from, before and after the patch.
        turn_us: cost of one turn of a task, before and after, microseconds.
    """

    awaited: Watched
    threaded: Watched
    blocking: Watched
    nested: Watched
    asked_s: dict[str, float]
    took_s: dict[str, float]
    task: tuple[str, str]
    turn_us: tuple[float, float]


def waits() -> Waits:
    """Wait in each way, beside a ticker, in a process of its own.

    Raises:
        RuntimeError: the process ended early; the text is its own last line.
    """
    told = shared_loop().run(_told(), _PATIENCE_S)
    before, after = told["plain"], told["patched"]
    return Waits(
        awaited=_watched(told["_awaited"]),
        threaded=_watched(told["_threaded"]),
        blocking=_watched(told["_blocking"]),
        nested=_watched(told["_nested"]),
        asked_s={"short": ways.SHORT_S, "long": ways.LONG_S},
        took_s=told["callers"],
        task=(before["task"], after["task"]),
        turn_us=(before["turn_us"], after["turn_us"]),
    )


def _watched(told: dict[str, Any]) -> Watched:
    due_s, late_s = zip(*told["ticks"], strict=True)
    return Watched(list(due_s), list(late_s), told["since_s"], told["until_s"])


async def _told() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="wsgateway-ways-") as directory:
        log = Path(directory) / "stderr.log"
        # Why: -P keeps the script's own directory out of its imports: `plots` there is ours.
        # 原因：-P 不让脚本所在目录进入它的导入路径：那里的 `plots` 是我们自己的。
        command = [sys.executable, "-P", str(Path(ways.__file__))]
        with Child(command, log=log) as child:
            line = await asyncio.to_thread(child.output.readline)
        if not line:
            raise RuntimeError(log.read_text("utf-8").strip().rpartition("\n")[2])
        told: dict[str, Any] = json.loads(line)
        return told
