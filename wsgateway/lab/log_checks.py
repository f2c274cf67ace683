"""The checks of the exercises on logs."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from wsgateway.kafka.backlog import PartitionLag
from wsgateway.kafka.offsets import Progress
from wsgateway.lab.checks import call, expect, grade


def committable(answer: Callable[[list[int], set[int]], Any]) -> bool:
    """Exercise 5.1: `answer(read, settled)` is the offset that may be committed.

    Args:
        answer: gets the offsets that were read, ascending, and the settled ones among them.
    """

    def check() -> None:
        rng = Random(51)  # fixed: the same answer always gets the same hint
        for _ in range(50):
            first = rng.randrange(100)
            read = list(range(first, first + rng.randint(1, 8)))
            settled = {offset for offset in read if rng.random() < 0.6}
            progress = Progress(first)
            for offset in read:
                progress.read(offset)
            for offset in settled:
                progress.settle(offset)
            found = call(answer, list(read), set(settled))
            told = f"Read {read}, settled {sorted(settled)}"
            told_zh = f"已读 {read}，已处理 {sorted(settled)}"
            still = [offset for offset in read if offset not in settled]
            expect(
                not still or found <= still[0],
                f"{told}: if you commit {found}, offset {still and still[0]} is never read again.",
                f"{told_zh}：若提交 {found}，位点 {still and still[0]} 就再也不会被读到。",
            )
            expect(
                found == progress.committable,
                f"{told}: {progress.committable} may be committed, not only {found}. "
                "A commit names the next offset to read.",
                f"{told_zh}：可以提交 {progress.committable}，不止 {found}。"
                "提交的是下一个要读的位点。",
            )

    return grade("5.1", check)


def without_repeats(answer: Callable[[list[tuple[str, str | None, str]]], Any]) -> bool:
    """Exercise 5.2: `answer(arrivals)` leaves out what came again, keeping the order.

    Args:
        answer: gets (sender, id or None, content) for each arrival.
    """

    def check() -> None:
        arrivals: list[tuple[str, str | None, str]] = [
            ("alice", "m1", "hello"),
            ("carol", "m1", "hello"),
            ("alice", "m1", "hello"),
            ("alice", None, "ping?"),
            ("alice", None, "ping?"),
            ("alice", "m2", "hello"),
            ("carol", "m1", "hello"),
        ]
        wanted = [arrivals[n] for n in (0, 1, 3, 4, 5)]
        found = call(answer, list(arrivals))
        expect(isinstance(found, list), "Return a list.", "应返回一个列表。")
        expect(
            ("carol", "m1", "hello") in found,
            "carol's m1 is missing: ids are unique for one sender only.",
            "少了 carol 的 m1：id 只在同一个发件人内部唯一。",
        )
        expect(
            found.count(("alice", None, "ping?")) == 2,
            "Two messages without an id may be two messages: nobody can tell.",
            "两条没有 id 的消息可能本来就是两条，谁也分不清。",
        )
        expect(
            ("alice", "m2", "hello") in found,
            "m2 says the same words as m1 and is a message of its own: compare ids, not contents.",
            "m2 的文字和 m1 一样，但它是另一条消息：要比较 id，而不是内容。",
        )
        expect(
            found == wanted,
            "The first copy stays, later ones go, and the order is kept.",
            "保留第一份，去掉后来的，并保持顺序。",
        )

    return grade("5.2", check)


def total_lag(answer: Callable[[Mapping[int, int], Mapping[int, int | None]], Any]) -> bool:
    """Exercise 5.3: `answer(ends, committed)` is the lag of a topic, all partitions together.

    Args:
        answer: gets partition -> end of the log, and partition -> committed offset or None.
    """

    def check() -> None:
        rng = Random(53)
        for number in range(20):
            ends = {partition: rng.randrange(1, 50) for partition in range(3)}
            committed: dict[int, int | None] = {
                partition: rng.choice((None, rng.randrange(end + 1)))
                for partition, end in ends.items()
            }
            if number == 0:
                committed = dict.fromkeys(ends, 0)
            wanted = sum(PartitionLag(0, ends[n], committed[n]).lag for n in ends)
            found = call(answer, dict(ends), dict(committed))
            expect(
                found != wanted - sum(ends[n] for n in ends if committed[n] is None)
                or None not in committed.values(),
                "A partition without a commit is behind by all it holds: reading begins at 0.",
                "没有提交过的分区，积压就是它的全部内容：读取从 0 开始。",
            )
            expect(
                found == wanted,
                f"Ends {ends}, committed {committed}: the lag is {wanted}, not {found}. Both name "
                "the next offset, so their difference is the number of records.",
                f"末尾 {ends}，已提交 {committed}：积压是 {wanted}，不是 {found}。"
                "两者都是“下一个”位点，相减就是记录数。",
            )

    return grade("5.3", check)
