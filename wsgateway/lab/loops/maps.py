"""Finding a connection, and whose it is: a list, one map, two maps. Comparisons are counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter
from typing import Protocol

from wsgateway.hub import Hub

_LOOKUPS = 8
_ROUNDS = 3


class Counted(str):
    """A name that counts how often any of its kind is compared with another."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


class Book(Protocol):
    """What answers both questions of a gateway."""

    def bind(self, user: str, connection: str) -> object:
        """Note whose connection this is."""

    def connection_of(self, user: str) -> str | None:
        """Where do I write what is for `user`?"""

    def user_of(self, connection: str) -> str | None:
        """This connection has ended: whose was it?"""


class Listed:
    """Pairs in a list: both questions go through it from the front."""

    def __init__(self) -> None:
        self._pairs: list[tuple[str, str]] = []

    def bind(self, user: str, connection: str) -> None:
        """See `Book`."""
        self._pairs.append((user, connection))

    def connection_of(self, user: str) -> str | None:
        """See `Book`."""
        return next((connection for known, connection in self._pairs if known == user), None)

    def user_of(self, connection: str) -> str | None:
        """See `Book`."""
        return next((user for user, known in self._pairs if known == connection), None)


class OneMap:
    """User -> connection only: the other question goes through all of it."""

    def __init__(self) -> None:
        self._connection_of: dict[str, str] = {}

    def bind(self, user: str, connection: str) -> None:
        """See `Book`."""
        self._connection_of[user] = connection

    def connection_of(self, user: str) -> str | None:
        """See `Book`."""
        return self._connection_of.get(user)

    def user_of(self, connection: str) -> str | None:
        """See `Book`."""
        pairs = self._connection_of.items()
        return next((user for user, known in pairs if known == connection), None)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one question costs.

    Args:
        users: connected at the time.
        compared: names compared, by the mean of the questions asked.
        us: microseconds, by the best of some rounds.
    """

    users: int
    compared: float
    us: float


DESIGNS: dict[str, type[Listed] | type[OneMap] | type[Hub[str]]] = {
    "list": Listed,
    "one map": OneMap,
    "hub": Hub,
}
QUESTIONS = ("connection_of", "user_of")


def costs(users: Sequence[int], *, seed: int = 2) -> dict[tuple[str, str], list[Cost]]:
    """Ask every design both questions, with so many users.

    Args:
        users: how many, for each round of questions.
        seed: of who is asked for.

    Returns:
        (design, question) -> its costs, in the order of `users`.
    """
    found: dict[tuple[str, str], list[Cost]] = {
        (design, question): [] for design in DESIGNS for question in QUESTIONS
    }
    for count in users:
        # The same people for every design.
        asked = Random(seed).choices(range(count), k=_LOOKUPS)
        counting, plain = _pairs(count, Counted), _pairs(count, str)
        for design, make in DESIGNS.items():
            slow, quick = _filled(make(), counting), _filled(make(), plain)
            for question in QUESTIONS:
                compared = _compared(slow, question, asked)
                found[design, question].append(Cost(count, compared, _us(quick, question, asked)))
    return found


def _pairs(count: int, name: type[str]) -> list[tuple[str, str]]:
    return [(name(f"user-{n}"), name(f"connection-{n}")) for n in range(count)]


def _filled(book: Book, pairs: Sequence[tuple[str, str]]) -> Book:
    for user, connection in pairs:
        book.bind(user, connection)
    return book


def _names(question: str, asked: Sequence[int]) -> list[str]:
    # Why: new strings. Python finds the very same object without comparing anything.
    # 原因：用新的字符串。若是同一个对象，Python 不用比较就找到了。
    return [f"{'user' if question == 'connection_of' else 'connection'}-{n}" for n in asked]


def _compared(book: Book, question: str, asked: Sequence[int]) -> float:
    names = [Counted(name) for name in _names(question, asked)]
    before = Counted.compared
    for name in names:
        getattr(book, question)(name)
    return (Counted.compared - before) / len(names)


def _us(book: Book, question: str, asked: Sequence[int]) -> float:
    ask, names, best = getattr(book, question), _names(question, asked), float("inf")
    for _ in range(_ROUNDS):
        began = perf_counter()
        for name in names:
            ask(name)
        best = min(best, perf_counter() - began)
    return best * 1e6 / len(names)
