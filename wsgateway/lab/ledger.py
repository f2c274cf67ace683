"""The message ledger: what was sent, what became of it, and whether the columns add up."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from wsgateway.protocol import Status

Pair = tuple[str, str]  # sender, recipient
# What the sender was told is held or on its way: if it never arrives, it is lost.
PROMISED = (Status.DELIVERED, Status.ROUTED, Status.ACCEPTED)


@dataclass(frozen=True, slots=True)
class Totals:
    """The ledger's columns: sent = arrived + offline + unknown + expired + lost + open.

    Args:
        sent: messages given to a gateway.
        promised: of those, `delivered`, `routed` or `accepted`.
        arrived: messages that reached their recipient, repeats not counted.
        offline: refused as `offline`, and not arrived.
        unknown: nobody could tell, and not arrived.
        lost: promised, and not arrived.
        open: without an answer, and not arrived: in flight.
        duplicates: arrivals beyond the first.
        reordered: first arrivals behind a later message of their pair.
        expired: promised, and thrown away for their age.
        reasons: of the lost, how many for which reason, where it is known.
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
    expired: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        columns = {name: count for name, count in asdict(self).items() if name != "reasons"}
        told = "  ".join(f"{name} {count:,}" for name, count in columns.items())
        why = ", ".join(f"{reason} {count:,}" for reason, count in self.reasons.items())
        return f"{told} ({why})" if why else told


class Ledger:
    """Entries of any number of pairs; each pair numbers its messages 0, 1, 2, ..."""

    def __init__(self) -> None:
        self._statuses: dict[Pair, dict[int, Status | None]] = defaultdict(dict)
        self._arrivals: dict[Pair, list[int]] = defaultdict(list)
        self._expired: set[tuple[Pair, int]] = set()
        self._reasons: dict[tuple[Pair, int], str] = {}

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

    def expired(self, pair: Pair, number: int) -> None:
        """Enter a message that was thrown away for its age."""
        self._expired.add((pair, number))

    def blame(self, pair: Pair, number: int, reason: str) -> None:
        """Enter why a message is lost, if it turns out to be."""
        self._reasons[pair, number] = reason

    @property
    def missing(self) -> int:
        """Promised messages that have not arrived (yet)."""
        return self.totals().lost

    def totals(self) -> Totals:
        """Add up all columns."""
        columns: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for pair, entries in self._statuses.items():
            seen = set(self._arrivals[pair])
            columns["sent"] += len(entries)
            for number, status in entries.items():
                columns["promised"] += status in PROMISED
                column = "arrived" if number in seen else self._fate(pair, number, status)
                columns[column] += 1
                if column == "lost" and (pair, number) in self._reasons:
                    reasons[self._reasons[pair, number]] += 1
            columns["duplicates"] += len(self._arrivals[pair]) - len(seen)
            columns["reordered"] += _reordered(self._arrivals[pair])
        names = [name for name in Totals.__slots__ if name != "reasons"]
        return Totals(**{name: columns[name] for name in names}, reasons=dict(reasons))

    def _fate(self, pair: Pair, number: int, status: Status | None) -> str:
        if status is None:
            return "open"
        if (pair, number) in self._expired:
            return "expired"
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
