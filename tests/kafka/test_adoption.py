"""Adoption decided: who reads on for whom, on claims and readers that do as they are told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from raw import until

from wsgateway import tasks
from wsgateway.errors import KafkaUnavailable, RedisUnavailable
from wsgateway.kafka.adoption import Adoption, topic_claim
from wsgateway.kafka.counts import KafkaCounts

TTL_S = 0.3


class Book:
    """What Redis would hold: claims, with their end, and who is alive."""

    def __init__(self) -> None:
        self.claims: dict[str, tuple[object, float]] = {}
        self.alive: set[str] = set()


class FakeClaims:
    """Implements `Claims` on a shared `Book`."""

    ttl_s = TTL_S

    def __init__(self, book: Book) -> None:
        self.book = book
        self.down = False
        self.looks = 0
        self.asked = 0
        self._now_s = asyncio.get_running_loop().time

    async def hold(self, name: str) -> bool:
        self.looks += name == "adopter"
        self._answer()
        holder, until_s = self.book.claims.get(name, (self, 0.0))
        if holder is not self and until_s > self._now_s():
            return False
        self.book.claims[name] = (self, self._now_s() + self.ttl_s)
        return True

    async def release(self, name: str) -> None:
        self._answer()
        if self.holds(name):
            del self.book.claims[name]

    async def alive(self, gateway_ids: Sequence[str]) -> set[str]:
        self._answer()
        self.asked += 1
        return self.book.alive & set(gateway_ids)

    def holds(self, name: str) -> bool:
        holder, until_s = self.book.claims.get(name, (None, 0.0))
        return holder is self and until_s > self._now_s()

    def _answer(self) -> None:
        if self.down:
            raise RedisUnavailable("down")


class FakeReader:
    """Reads nothing, and says what became of it."""

    def __init__(self) -> None:
        self.started = self.closed = self.caught_up = False
        self.failed: BaseException | None = None
        self.starting: Callable[[], Awaitable[None]] | None = None
        self.closing_s = 0.0

    async def start(self) -> None:
        if self.starting is not None:
            await self.starting()
        self.started = True

    async def aclose(self) -> None:
        await asyncio.sleep(self.closing_s)
        self.closed = True

    @property
    def reads(self) -> bool:
        return self.started and not self.closed


class Adopter:
    """One gateway that adopts."""

    def __init__(self, book: Book, gateway_id: str, topics: set[str]) -> None:
        self.claims = FakeClaims(book)
        self.topics = topics
        self.backlogs: dict[str, int] = dict.fromkeys(topics, 1)
        self.made: list[tuple[str, FakeReader]] = []
        self.next_reader = FakeReader
        self.counts = KafkaCounts()
        self.kafka: Callable[[], Awaitable[None]] | None = None
        self.adoption = Adoption(
            gateway_id,
            self.claims,
            self._gateways,
            self._ends,
            self._backlog,
            self._make,
            self.counts,
        )

    async def _gateways(self) -> set[str]:
        if self.kafka is not None:
            await self.kafka()
        return self.topics

    async def _ends(self, gateway_ids: Sequence[str]) -> dict[str, tuple[int, ...]]:
        return {one: (self.backlogs[one],) for one in gateway_ids}

    async def _backlog(self, gateway_id: str) -> int:
        return self.backlogs[gateway_id]

    async def _make(self, gateway_id: str) -> Any:
        reader = self.next_reader()
        self.made.append((gateway_id, reader))
        return reader

    def reading(self) -> list[str]:
        return sorted(gateway_id for gateway_id, reader in self.made if reader.reads)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["asyncio.Task[None]"]:
        task = asyncio.create_task(self.adoption.run())
        try:
            yield task
        finally:
            await tasks.end(task)
            await self.adoption.aclose()
        assert self.reading() == []
        assert self.claims.down or not any(map(self.claims.holds, map(topic_claim, self.topics)))

    async def looked(self, times: int = 1) -> None:
        """Wait until so many looks have ended that begin now or later."""
        end = self.claims.looks + times + 1
        await until(lambda: self.claims.looks >= end)


@pytest.fixture
async def book() -> Book:
    return Book()


def adopter(book: Book, gateway_id: str = "a", *others: str) -> Adopter:
    book.alive.add(gateway_id)
    return Adopter(book, gateway_id, {gateway_id, *others})


async def test_who_is_absent_twice_is_adopted_and_let_go_when_all_is_settled(book: Book) -> None:
    one = adopter(book, "a", "d")
    async with one.running():
        await until(lambda: one.reading() == ["d"])
        assert one.counts.adoptions == 1
        assert one.claims.holds(topic_claim("d"))
        await one.looked(5)  # longer than a claim lives
        assert one.reading() == ["d"]
        assert one.claims.holds(topic_claim("d"))
        one.made[0][1].caught_up = True
        one.backlogs["d"] = 0
        await until(lambda: one.reading() == [])
        await one.looked(4)
        assert one.counts.adoptions == 1


async def test_who_is_absent_for_a_moment_is_not_adopted(book: Book) -> None:
    one = adopter(book, "a", "d")
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        book.alive ^= {"d"}

    one.kafka = look
    async with one.running():
        await until(lambda: looks >= 8)
    assert one.made == []


async def test_absence_counts_anew_when_redis_did_not_answer_between_two_looks(book: Book) -> None:
    one = adopter(book, "a", "d")
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks % 2 == 0:
            raise KafkaUnavailable("for a moment")

    one.kafka = look
    async with one.running():
        await until(lambda: looks >= 8)
    assert one.made == []


async def test_a_topic_with_nothing_left_in_it_is_not_adopted(book: Book) -> None:
    one = adopter(book, "a", "d")
    one.backlogs["d"] = 0
    async with one.running():
        await one.looked(4)
    assert one.made == []


async def test_nobody_adopts_himself(book: Book) -> None:
    one = adopter(book, "a", "d")
    book.alive -= {"a"}
    async with one.running():
        await until(lambda: one.reading() == ["d"])
        await one.looked(3)
    assert [gateway_id for gateway_id, _ in one.made] == ["d"]


async def test_of_many_one_adopts_and_when_it_falls_silent_another_does(book: Book) -> None:
    everyone = [adopter(book, name, "d", "e") for name in "abc"]

    def readers() -> list[list[str]]:
        return sorted(one.reading() for one in everyone)

    async with everyone[0].running(), everyone[1].running(), everyone[2].running():
        await until(lambda: readers() == [[], [], ["d", "e"]])
        first = next(one for one in everyone if one.reading())
        first.claims.down = True
        others = [one for one in everyone if one is not first]
        await until(lambda: any(one.reading() == ["d", "e"] for one in others))
        assert readers() == [[], [], ["d", "e"]], "the first has let go by then"
        first.claims.down = False
        await first.looked()
        assert readers() == [[], [], ["d", "e"]]


async def test_a_topic_claimed_by_its_returning_owner_is_left_alone(book: Book) -> None:
    one, owner = adopter(book, "a", "d"), FakeClaims(book)
    assert await owner.hold(topic_claim("d"))
    async with one.running():
        for _ in range(6):
            await one.looked()
            assert await owner.hold(topic_claim("d"))
        assert one.made == []
        await owner.release(topic_claim("d"))
        await until(lambda: one.reading() == ["d"])


async def test_an_owner_who_returns_between_look_and_claim_is_seen(book: Book) -> None:
    one = adopter(book, "a", "d")
    hold = one.claims.hold

    async def returning(name: str) -> bool:
        if name == topic_claim("d"):
            book.alive.add("d")
        return await hold(name)

    one.claims.hold = returning  # type: ignore[method-assign]  # the owner is as quick as that
    async with one.running():
        await until(lambda: "d" in book.alive)
        await one.looked(3)
        assert one.made == []
        assert not one.claims.holds(topic_claim("d"))


async def test_the_owner_gets_its_topic_back(book: Book) -> None:
    one, owner = adopter(book, "a", "d"), FakeClaims(book)
    async with one.running():
        await until(lambda: one.reading() == ["d"])
        assert not await owner.hold(topic_claim("d"))
        book.alive.add("d")
        async with asyncio.timeout(TTL_S):
            while not await owner.hold(topic_claim("d")):
                assert one.reading() == ["d"] or not one.claims.holds(topic_claim("d"))
                await asyncio.sleep(0)
        assert one.reading() == []


async def test_a_reader_that_died_is_replaced(book: Book) -> None:
    one = adopter(book, "a", "d")
    async with one.running():
        await until(lambda: one.reading() == ["d"])
        one.made[0][1].failed = RuntimeError("a bug")
        await until(lambda: len(one.made) == 2 and one.reading() == ["d"])
        assert one.made[0][1].closed


async def test_a_kafka_that_does_not_answer_while_starting_is_asked_again(book: Book) -> None:
    one = adopter(book, "a", "d")
    tries = 0

    class Reluctant(FakeReader):
        async def start(self) -> None:
            nonlocal tries
            tries += 1
            if tries < 3:
                self.closed = True
                raise KafkaUnavailable("not now")
            await super().start()

    one.next_reader = Reluctant
    async with one.running():
        await until(lambda: one.reading() == ["d"])
        assert one.counts.adoptions == 1


async def test_whoever_cannot_look_in_time_lets_go_before_another_may_adopt(book: Book) -> None:
    """Kafka answers one gateway no more, and Redis does: its claims lapse all the same."""
    one, two = adopter(book, "a", "d"), adopter(book, "b", "d")

    async def hangs() -> None:
        await asyncio.Event().wait()

    async with one.running():
        await until(lambda: one.reading() == ["d"])
        one.kafka = hangs
        async with two.running():
            while two.reading() != ["d"]:
                assert one.reading() == [] or not two.reading()
                await asyncio.sleep(0)
            assert one.reading() == [], "two read one topic"


async def test_many_topics_are_adopted_though_each_takes_its_time(book: Book) -> None:
    """Twenty gateways died at once; to start all readers takes longer than a claim lives."""
    dead = [f"d{n:02}" for n in range(20)]
    one, two = adopter(book, "a", *dead), adopter(book, "b", *dead)

    class Slow(FakeReader):
        async def start(self) -> None:
            await asyncio.sleep(TTL_S / 10)
            await super().start()

    one.next_reader = two.next_reader = Slow
    async with one.running(), two.running():
        await until(lambda: dead in (one.reading(), two.reading()))
        assert len(one.made) + len(two.made) == 20, "none had to be let go on the way"


async def test_cancelled_while_a_reader_closes_slowly_it_is_closed_in_the_end(book: Book) -> None:
    one = adopter(book, "a", "d")
    async with one.running():
        await until(lambda: one.reading() == ["d"])
        one.made[0][1].closing_s = 0.3  # `running` checks that it ends closed


async def test_cancelled_while_letting_go_it_lets_go_in_the_end(book: Book) -> None:
    one = adopter(book, "a", "d")
    async with one.running():
        await until(lambda: one.reading() == ["d"])
        one.made[0][1].closing_s = 0.3
        asked = one.claims.asked
        book.alive.add("d")
        await until(lambda: one.claims.asked > asked)  # it lets go now
