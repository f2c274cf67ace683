"""The message ledger: what was sent, what became of it, and whether the columns add up."""

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass

from wsgateway.protocol import Status

Pair = tuple[str, str]  # sender, recipient
# What the sender was told is held or on its way: if it never arrives, it is lost.
PROMISED = (Status.DELIVERED, Status.ROUTED, Status.ACCEPTED)


@dataclass(frozen=True, slots=True)
class Totals:
    """The ledger's columns: sent = arrived + offline + unknown + lost + open.

    Args:
        sent: messages given to a gateway.
        promised: of those, `delivered`, `routed` or `accepted`.
        arrived: messages that reached their recipient, repeats not counted.
        offline: refused as `offline`, and not arrived.
        unknown: nobody could tell, and not arrived.
        lost: promised, and not arrived.
        open: without an answer, and not arrived.
        duplicates: arrivals beyond the first.
        reordered: first arrivals behind a later message of their pair.
    """

    sent: int
    promised: int
    arrived: int
    offline: int
    unknown: int
    lost: int
    open: int
    duplicates: int
    reordered: int

    def __str__(self) -> str:
        return "  ".join(f"{name} {count:,}" for name, count in asdict(self).items())


class Ledger:
    """Entries of any number of pairs; each pair numbers its messages 0, 1, 2, ..."""

    def __init__(self) -> None:
        self._statuses: dict[Pair, dict[int, Status | None]] = defaultdict(dict)
        self._arrivals: dict[Pair, list[int]] = defaultdict(list)

    def sent(self, pair: Pair) -> int:
        """Enter a message about to be sent; return its number."""
        entries = self._statuses[pair]
        number = len(entries)
        entries[number] = None
        return number

    def answered(self, pair: Pair, number: int, status: Status) -> None:
        """Enter what the sender was told."""
        self._statuses[pair][number] = status

    def arrived(self, pair: Pair, number: int) -> None:
        """Enter an arrival, repeats too."""
        self._arrivals[pair].append(number)

    @property
    def missing(self) -> int:
        """Promised messages that have not arrived (yet)."""
        return self.totals().lost

    def totals(self) -> Totals:
        """Add up all columns."""
        columns: Counter[str] = Counter()
        for pair, entries in self._statuses.items():
            seen = set(self._arrivals[pair])
            columns["sent"] += len(entries)
            for number, status in entries.items():
                columns["promised"] += status in PROMISED
                columns["arrived" if number in seen else _fate(status)] += 1
            columns["duplicates"] += len(self._arrivals[pair]) - len(seen)
            columns["reordered"] += _reordered(self._arrivals[pair])
        return Totals(**{name: columns[name] for name in Totals.__slots__})


def _fate(status: Status | None) -> str:
    if status is None:
        return "open"
    return "lost" if status in PROMISED else status.value


def _reordered(arrivals: list[int]) -> int:
    """Count first arrivals that came behind a later number."""
    seen: set[int] = set()
    highest, late = -1, 0
    for number in arrivals:
        if number not in seen:
            seen.add(number)
            late += number < highest
            highest = max(highest, number)
    return late
