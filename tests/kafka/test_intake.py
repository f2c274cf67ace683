"""What is read until it is settled: commits wait for deliveries, and for dead letters."""

import asyncio
import time
from collections.abc import Callable

import pytest
from aiokafka import ConsumerRecord
from raw import until

from wsgateway.errors import KafkaUnavailable, Overloaded
from wsgateway.fate import Fate, Kept
from wsgateway.kafka import intake as module
from wsgateway.kafka.counts import KafkaCounts
from wsgateway.kafka.intake import Intake
from wsgateway.kafka.publisher import MAX_ENVELOPE_BYTES, Record, Written
from wsgateway.protocol import Status

DEAD_LETTERS = "gateway-dead-letters"
Answer = Status | Exception


class Scene:
    """An intake between a gateway and a publisher that do as they are told."""

    def __init__(self, *, patience_s: float = 0.2, expiry_s: float = 600.0) -> None:
        self.answers: list[Answer] = []
        self.buried: list[Record] = []
        self.asked = 0
        self.open: list[tuple[bytes, Kept]] = []
        self.fate: Callable[[bytes], Fate | None] = lambda data: Fate.DONE
        self.counts = KafkaCounts()
        self.intake = Intake(
            "g1",
            DEAD_LETTERS,
            self,  # type: ignore[arg-type]  # only `publish` is used
            self.deliver,
            self.counts,
            addressee=None,
            patience_s=patience_s,
            expiry_s=expiry_s,
        )
        self.intake.begin({0: 100, 1: 0})

    def deliver(self, data: bytes, kept: Kept | None = None, *, addressee: str | None) -> None:
        assert kept is not None
        fate = self.fate(data)
        if fate is None:
            self.open.append((data, kept))
        else:
            kept.settle(fate)

    def publish(self, topic: str, record: Record, done: Callable[[Written], None]) -> None:
        assert topic == DEAD_LETTERS
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else Status.ACCEPTED
        if isinstance(answer, Overloaded):
            raise answer
        if answer is Status.ACCEPTED:
            self.buried.append(record)
        asyncio.get_running_loop().call_soon(done, answer)

    def take(
        self,
        offset: int,
        value: bytes | None = b"{}",
        *,
        partition: int = 0,
        key: bytes | None = b"alice",
        age_s: float = 0.0,
    ) -> None:
        at_ms = round((time.time() - age_s) * 1000)
        self.intake.take(
            ConsumerRecord("t", partition, offset, at_ms, 0, key, value, None, 0, 0, ())
        )


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BURY_AGAIN_S", 0.0)


async def turns() -> None:
    """Let everything that is due now happen, with what follows from it."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_only_what_is_settled_is_committed_and_only_news_of_it() -> None:
    scene = Scene()
    assert scene.intake.uncommitted() == {}
    scene.fate = lambda data: None if data == b"slow" else Fate.DONE
    scene.take(100)
    scene.take(101, b"slow")
    scene.take(105, key=b"bob")
    scene.take(0, partition=1)
    assert scene.intake.uncommitted() == {0: 101, 1: 1}
    assert len(scene.intake) == 1
    scene.intake.committed({0: 101, 1: 1})
    assert scene.intake.uncommitted() == {}
    scene.open.pop()[1].settle(Fate.DONE)
    assert scene.intake.uncommitted() == {0: 106}
    assert len(scene.intake) == 0


async def test_a_partition_that_was_added_is_committed_too() -> None:
    scene = Scene()
    scene.take(0, partition=7)
    assert scene.intake.uncommitted() == {7: 1}


async def test_a_dead_letter_says_where_it_came_from_and_why() -> None:
    scene = Scene()
    scene.fate = lambda data: Fate.MALFORMED
    scene.take(107, b"garbage", key=b"bob")
    await until(lambda: scene.intake.uncommitted() == {0: 108})
    assert scene.buried == [
        Record(
            b"bob",
            b"garbage",
            (
                ("reason", b"malformed"),
                ("gateway", b"g1"),
                ("partition", b"0"),
                ("offset", b"107"),
                ("bytes", b"10"),
            ),
        )
    ]
    assert scene.counts.dead_letters == 1


@pytest.mark.parametrize(
    "refusal",
    [Status.UNKNOWN, Status.OFFLINE, Overloaded("full"), RuntimeError("a bug")],
    ids=lambda refusal: str(refusal) or "refused",
)
async def test_a_dead_letter_that_was_not_written_is_written_again_and_holds_its_offset(
    quickly: None, refusal: Answer
) -> None:
    scene = Scene()
    scene.fate = lambda data: Fate.MALFORMED
    scene.answers = [refusal] * 3
    scene.take(100)
    while scene.asked < 3:
        assert scene.intake.uncommitted() == {}
        await asyncio.sleep(0)
    await until(lambda: scene.intake.uncommitted() == {0: 101})
    assert scene.asked == 4
    assert scene.counts.dead_letters == 1


async def test_when_the_publisher_is_closed_a_dead_letter_stays_open(quickly: None) -> None:
    scene = Scene()
    scene.fate = lambda data: Fate.MALFORMED
    scene.answers = [KafkaUnavailable("not running")]
    scene.take(100)
    await turns()
    assert scene.asked == 1
    assert scene.intake.uncommitted() == {}
    assert len(scene.intake) == 1


async def test_what_expired_is_counted_and_not_buried() -> None:
    scene = Scene(expiry_s=60)
    scene.take(100, age_s=61)
    scene.take(101, age_s=59)
    scene.intake.take(ConsumerRecord("t", 0, 102, -1, 0, b"alice", b"{}", None, 0, 0, ()))
    assert scene.intake.uncommitted() == {0: 103}
    assert (scene.counts.expired, scene.counts.dead_letters, scene.asked) == (2, 0, 0)


async def test_who_stays_away_is_given_up_after_patience_and_not_before() -> None:
    scene = Scene(patience_s=0.3)
    scene.fate = lambda data: Fate.OFFLINE
    scene.take(100, b"{}")
    assert scene.intake.held == 1
    assert scene.intake.uncommitted() == {}
    await until(lambda: scene.intake.uncommitted() == {0: 101})
    assert dict(scene.buried[0].headers)["reason"] == b"offline"
    assert scene.intake.held == 0


@pytest.mark.parametrize("key", [b"alice", b"k" * (900 << 10)], ids=["value", "key"])
async def test_what_is_too_big_for_an_envelope_is_not_delivered_nor_kept(key: bytes) -> None:
    scene = Scene()
    value = bytes(MAX_ENVELOPE_BYTES + 1) if key == b"alice" else b"{}"
    delivered: list[bytes] = []
    scene.fate = lambda data: delivered.append(data)  # type: ignore[func-returns-value]
    scene.take(100, value, key=key)
    await until(lambda: scene.intake.uncommitted() == {0: 101})
    (record,) = scene.buried
    assert not delivered
    assert len(record.key) + len(record.value) <= MAX_ENVELOPE_BYTES
    assert dict(record.headers)["reason"] == b"too_big"
    assert int(dict(record.headers)["bytes"]) == len(key) + len(value)
    assert record.key == key[:64]


async def test_no_key_and_no_value_are_letters_like_others() -> None:
    scene = Scene()
    seen: list[bytes] = []
    scene.fate = lambda data: seen.append(data) or Fate.MALFORMED  # type: ignore[func-returns-value]
    scene.take(100, None, key=None)
    await until(lambda: scene.intake.uncommitted() == {0: 101})
    assert seen == [b""]
    assert (scene.buried[0].key, scene.buried[0].value) == (b"", b"")


async def test_a_bug_costs_one_envelope(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()

    def fate(data: bytes) -> Fate:
        if data == b"bad":
            raise RuntimeError("a bug")
        return Fate.DONE

    scene.fate = fate
    scene.take(100, b"bad")
    scene.take(101)
    await until(lambda: scene.intake.uncommitted() == {0: 102})
    assert dict(scene.buried[0].headers)["reason"] == b"malformed"
    assert "not taken in" in caplog.text


async def test_too_many_open_letters_pause_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OPEN", 3)
    scene = Scene()
    scene.fate = lambda data: None
    for offset in range(100, 103):
        assert scene.intake.room.is_set()
        scene.take(offset)
    assert not scene.intake.room.is_set()
    scene.open.pop()[1].settle(Fate.DONE)
    assert scene.intake.room.is_set()


async def test_too_many_open_bytes_pause_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OPEN_BYTES", 1_000)
    scene = Scene()
    scene.fate = lambda data: None
    scene.take(100, bytes(600))
    assert scene.intake.room.is_set()
    scene.take(101, bytes(600))
    assert not scene.intake.room.is_set()
    for _, kept in scene.open:
        kept.settle(Fate.DONE)
    assert scene.intake.room.is_set()


async def test_after_aclose_nothing_is_given_up_and_what_arrives_still_counts(
    quickly: None,
) -> None:
    scene = Scene(patience_s=0.0)
    scene.fate = lambda data: None
    scene.take(100, b"arrives")
    scene.take(101, b"away", key=b"bob")
    scene.take(102, b"garbage", key=b"carol")
    scene.intake.aclose()
    fates = {b"arrives": Fate.DONE, b"away": Fate.OFFLINE, b"garbage": Fate.MALFORMED}
    for data, kept in scene.open:
        kept.settle(fates[data])
    await turns()
    assert scene.asked == 0
    assert scene.intake.uncommitted() == {0: 101}
    assert len(scene.intake) == 2


async def test_a_dead_letter_that_waits_to_be_written_again_is_dropped_by_aclose(
    quickly: None,
) -> None:
    scene = Scene()
    scene.fate = lambda data: Fate.MALFORMED
    scene.answers = [Status.UNKNOWN] * 1_000_000
    scene.take(100)
    await until(lambda: scene.asked >= 2)
    scene.intake.aclose()
    asked = scene.asked
    await turns()
    assert scene.asked == asked
    assert scene.intake.uncommitted() == {}
