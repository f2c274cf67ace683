"""`python -m wsgateway.bench.sampler FILE FLAGS...`: a gateway that notes what it is busy with.

Every two milliseconds of CPU time, kernel time included, a signal asks which line is running. No
other process and no privilege is needed, and nothing is slowed down between two samples, as a
tracing profiler would do to short functions.
"""

import linecache
import re
import signal
import sys
from mmap import mmap
from pathlib import Path
from types import FrameType

from wsgateway import __main__ as gateway

INTERVAL_S = 0.002
LOOP = "loop"
_COUNTER_BYTES = 8
_OURS = Path(gateway.__file__).parent
_IS_JSON = re.compile(r"(?:encode|decode|parse_frame)\(").search
# The part a module belongs to: the longest prefix counts.
_PARTS = {
    "protocol": "json",
    "envelope": "json",
    "websocket": "websocket",
    "incoming": "websocket",
    "outbox": "websocket",
    "connection": "websocket",
    "listener": "websocket",
    "sessions": "delivery",
    "delivery": "delivery",
    "local": "delivery",
    "dedup": "delivery",
    "hub": "delivery",
    "lane": "lanes",
    "fences": "lanes",
    "redis": "router",
    "routers": "router",
    "kafka": "router",
    "presence": "presence",
    "registrar": "presence",
    "batch": "presence",
}
PARTS = tuple(dict.fromkeys((*_PARTS.values(), LOOP)))


def part(frame: FrameType | None) -> str:
    """Return the part of the gateway that a stack is in; `LOOP` when it is in none."""
    inner = True
    while frame is not None:
        found = _part_of(frame)
        if found is not None:
            # Why: a signal that comes while the loop itself is at work is noticed at the first
            # step of what it calls next. That call has done nothing yet.
            # 原因：循环自身在干活时来的信号，要到它接着调用的函数的第一步才被察觉，
            # 而那个函数什么都还没做。
            if inner and _just_entered(frame) and _part_of(frame.f_back) is None:
                return LOOP
            return found
        frame, inner = frame.f_back, False
    return LOOP


def _part_of(frame: FrameType | None) -> str | None:
    if frame is None:
        return None
    path = frame.f_code.co_filename
    if "/websockets/" in path:
        return "websocket"
    if not path.startswith(str(_OURS)):
        return None
    # Why: between two lines there is none, whatever its type says; and what this function raised
    # would be raised in the middle of the gateway.
    # 原因：两行之间行号是 None，类型标注没有说；而这里抛出的异常，都会落在网关正做的事中间。
    if _IS_JSON(linecache.getline(path, frame.f_lineno or 0)):
        return "json"
    name = Path(path).relative_to(_OURS).as_posix()
    known = [prefix for prefix in _PARTS if name.startswith(prefix)]
    return _PARTS[max(known, key=len)] if known else None


def _just_entered(frame: FrameType) -> bool:
    return frame.f_lineno == frame.f_code.co_firstlineno


def counts(file: Path) -> dict[str, int]:
    """Return how often each part was seen so far."""
    seen = memoryview(file.read_bytes()).cast("Q")
    return dict(zip(PARTS, seen, strict=True))


def main() -> int:
    """Run the gateway of the flags, and keep FILE up to date."""
    file = Path(sys.argv.pop(1))
    file.write_bytes(bytes(_COUNTER_BYTES * len(PARTS)))
    # Why: counted in memory that others can read. A write to a disk that is slow at that moment
    # would stall the gateway, and the profile would be one of a stalled gateway.
    # 原因：计数放在别人也能读的内存里。若在信号里写文件，磁盘一慢网关就停住，
    # 测到的就是一个停住的网关。
    with file.open("r+b") as shared, mmap(shared.fileno(), 0) as memory:
        seen = memoryview(memory).cast("Q")

        def sample(signum: int, frame: FrameType | None) -> None:
            seen[PARTS.index(part(frame))] += 1

        signal.signal(signal.SIGPROF, sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)
        try:
            return gateway.main()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            seen.release()


if __name__ == "__main__":
    sys.exit(main())
