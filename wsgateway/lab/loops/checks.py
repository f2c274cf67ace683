"""The exercises of lesson 2."""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from wsgateway.lab.checks import call, expect, grade
from wsgateway.lab.loops.lineup import Evidence, invent

_ROUNDS = 60


def bounded_outbox(make: Callable[[int], Any]) -> bool:
    """Exercise 2.1: `make(bound)` has `put(frame)`, which says whether it took it, and `take()`.

    Args:
        make: the learner's class; `bound` is in bytes.
    """

    def check() -> None:
        rng = Random(21)  # fixed: the same answer always gets the same hint
        for _ in range(_ROUNDS):
            _try(make, bound=rng.randrange(20, 200), rng=rng)

    return grade("2.1", check)


def _try(make: Callable[[int], Any], bound: int, rng: Random) -> None:
    outbox = call(make, bound)
    waiting: deque[bytes] = deque()
    for number in range(40):
        if rng.random() < 0.4:
            wanted = waiting.popleft() if waiting else None
            found = call(outbox.take)
            expect(
                waiting != deque() or wanted is not None or found is None,
                "When nothing waits, take() returns None.",
                "没有帧在等时，take() 应返回 None。",
            )
            expect(
                found == wanted,
                "take() hands out the oldest frame that was taken in, each frame once.",
                "take() 应交出已收下的帧里最早的一个，每帧只交一次。",
            )
            continue
        frame = bytes([number]) * rng.randrange(1, 40)
        size = sum(map(len, waiting))
        fits = size + len(frame) <= bound
        took = call(outbox.put, frame)
        expect(
            isinstance(took, bool),
            "put(frame) returns True if it took the frame, else False.",
            "put(frame) 收下了应返回 True，否则返回 False。",
        )
        expect(
            fits or not took,
            f"The bound is {bound} bytes; {size} waited, and you took {len(frame)} more. "
            "A client that never reads would fill the memory.",
            f"上限是 {bound} 字节；已有 {size} 字节在等，你又收下 {len(frame)} 字节。"
            "从不读的客户端会这样填满内存。",
        )
        expect(
            took or not fits,
            f"The bound is {bound} bytes, {size} waited, {len(frame)} more fit, and you refused. "
            "What take() hands out waits no longer.",
            f"上限是 {bound} 字节，{size} 字节在等，再加 {len(frame)} 字节放得下，你却拒收了。"
            "take() 交出去的就不再算在等。",
        )
        if not took:
            _stays_shut(outbox)
            return
        waiting.append(frame)


def _stays_shut(outbox: Any) -> None:
    call(outbox.take)
    expect(
        call(outbox.put, b"x") is False,
        "After it has refused one frame it must refuse all: else the client gets a stream with "
        "a hole in it, and nobody notices.",
        "拒收过一帧之后，就必须一直拒收：不然客户端收到的内容中间缺了一块，谁也不知道。",
    )


def blocker(answer: Callable[[Any, Any], Any]) -> bool:
    """Exercise 2.2: `answer(ticks, woke)` is the name of the coroutine that blocks the loop."""

    def check() -> None:
        rng = Random(22)
        for _ in range(_ROUNDS):
            seen = invent(rng)
            found = call(answer, list(seen.ticks), {who: list(at) for who, at in seen.woke.items()})
            _judge(seen, found)

    return grade("2.2", check)


def _judge(seen: Evidence, found: Any) -> None:
    expect(
        isinstance(found, str) and found in seen.woke,
        "Return one of the names in `woke`.",
        "应返回 `woke` 里的一个名字。",
    )
    due, came = seen.late[len(seen.late) // 2]
    woke = [at for at in seen.woke[found] if due - 10 <= at <= due]
    expect(
        found == seen.blocker or not woke,
        f"{found} was there too, but not before every late tick. Count over all of them.",
        f"{found} 当时也在，但并非每次迟到之前都在。请把所有迟到的点都算上。",
    )
    expect(
        found == seen.blocker,
        f"A tick due at {due:.0f} ms came at {came:.0f} ms. {found} was not given the loop "
        "just before it was due: whoever woke later was a victim, as the ticker was.",
        f"有一个点本该在 {due:.0f} 毫秒，到 {came:.0f} 毫秒才来。{found} 并不是在它到点之前"
        "拿到循环的：后来才醒的，和打点器一样是受害者。",
    )
