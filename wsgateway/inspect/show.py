"""What is seen, as text for a person: plain tables, nothing that a terminal would obey. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from wsgateway.inspect.facts import (
    GatewaysReport,
    LeaseFact,
    LetterFact,
    LettersReport,
    PartitionFact,
    Report,
    State,
    TopicFact,
    TopicsReport,
    UserFact,
)

NONE = "-"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def lines(command: str, report: Report) -> list[str]:
    """Return the lines to print for what `command` found."""
    if isinstance(report, UserFact):
        return _user(report)
    if isinstance(report, GatewaysReport):
        return _gateways(report)
    if isinstance(report, LettersReport):
        return _letters(report)
    return _lag(report) if command == "lag" else _topics(report)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return aligned columns; those that hold numbers are aligned on the right."""
    cells = [list(head), *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numeric = [
        any(map(_is_number, column)) and all(_is_number(one) or one == NONE for one in column)
        for column in zip(*cells[1:], strict=True)
    ] or [False] * len(head)
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    ]


def printable(text: str) -> str:
    """Return `text` with everything escaped that is not to be seen."""
    # Why: dead letters hold what anybody sent. An escape sequence in one must not repaint the
    # operator's terminal, nor a line break forge a row.
    # 原因：死信里是任何人发来的内容。其中的转义序列不能改写运维者的终端，换行也不能伪造一行。
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _is_number(text: str) -> bool:
    return text.removeprefix(">= ").replace(".", "", 1).removesuffix(" s").isdigit()


def _user(fact: UserFact) -> list[str]:
    user = printable(fact.user)
    left = "never" if fact.left_s is None else f"in {fact.left_s:.1f} s"
    if fact.state is State.NOWHERE:
        return [f"{user} is not connected anywhere"]
    if fact.state is State.UNREADABLE:
        return [f"{user} has a record that no gateway wrote; it lapses {left}"]
    rows = [
        ("gateway", fact.gateway),
        ("connection", fact.connection),
        ("since", NONE if fact.epoch_us is None else _moment(fact.epoch_us // 1000)),
        ("lapses", left),
    ]
    if fact.state is State.STALE:
        rows.append(("stale", f"gateway {fact.gateway} is gone: nobody holds its lease"))
    return table(("user", user), rows)


def _gateways(report: GatewaysReport) -> list[str]:
    if not report.gateways:
        return [report.broker, "no gateways: no leases, no presence, no channels, no topics"]
    on_kafka = report.router == "kafka"
    head = ["gateway", "lease", "users", *(["lag", "read by"] if on_kafka else ["subscribers"])]
    rows = []
    for one in report.gateways:
        row: list[object] = [one.id, _left(one.lease), _at_least(one.users, report.complete)]
        if on_kafka:
            read_by = NONE if one.lag is None else one.lease.reader(one.id)
            row += ["no topic" if one.lag is None else one.lag, read_by]
        else:
            row.append(one.subscribers)
        rows.append([*row, one.lease.holder or NONE])
    said = [report.broker, *table([*head, "holder"], rows)]
    if on_kafka and report.adopter is not None:
        said.append(f"topics without a reader are looked for by {printable(report.adopter)}")
    if not report.complete:
        said.append("too many keys in this Redis to look at all: users are lower bounds")
    return said


def _topics(report: TopicsReport) -> list[str]:
    said = [report.broker]
    if report.channels:
        rows = [
            (one.name, one.subscribers, _owner(one.gateway, one.lease)) for one in report.channels
        ]
        said += table(("channel", "subscribers", "gateway"), rows)
    elif report.topics:
        head = ("topic", "partitions", "begin", "end", "committed", "lag", "gateway")
        said += table(head, list(map(_topic_row, report.topics)))
    elif report.note is None:
        said.append("no topics of gateways")
    return said + ([report.note] if report.note else [])


def _topic_row(topic: TopicFact) -> list[object]:
    def each(name: str) -> str:
        values = (getattr(one, name) for one in topic.partitions)
        return ",".join(NONE if value is None else str(value) for value in values)

    return [
        topic.name,
        len(topic.partitions),
        each("begin"),
        each("end"),
        NONE if topic.gateway is None else each("committed"),
        NONE if topic.gateway is None else topic.lag,
        _owner(topic.gateway, topic.lease),
    ]


def _lag(report: TopicsReport) -> list[str]:
    if report.note is not None:
        return [report.note]
    rows = [
        (one.name, *_offsets(part), one.lease.reader(one.gateway))
        for one in report.topics
        if one.gateway is not None and one.lease is not None
        for part in one.partitions
    ]
    if not rows:
        return [report.broker, "no topics of gateways"]
    head = ("topic", "partition", "committed", "end", "lag", "read by")
    return [f"{report.broker}, group {report.group}", *table(head, rows)]


def _offsets(one: PartitionFact) -> tuple[object, ...]:
    return one.partition, NONE if one.committed is None else one.committed, one.end, one.lag


def _letters(report: LettersReport) -> list[str]:
    if report.note is not None:
        return [report.note]
    if not report.letters:
        return [report.broker, "no dead letters"]
    head = ["time", "reason", "gateway", "user", "sender", "id", "bytes"]
    with_content = isinstance(report.letters[0].content, str)
    rows = [_letter_row(one) for one in report.letters]
    return [
        report.broker,
        f"{report.topic}: {len(rows)} of {report.total}, the newest last",
        *table([*head, "content"] if with_content else head, rows),
    ]


def _letter_row(one: LetterFact) -> list[object]:
    row: list[object] = [_moment(one.time_ms), one.reason, one.gateway, one.user or NONE]
    row += [one.sender or NONE, one.id or NONE, one.bytes]
    return [*row, one.content] if isinstance(one.content, str) else row


def _owner(gateway: str | None, lease: LeaseFact | None) -> str:
    if gateway is None or lease is None:
        return "all"
    state = "alive" if lease.alive else "gone"
    adopted = f", adopted by {lease.adopted_by}" if lease.adopted_by is not None else ""
    return f"{gateway} {state}{adopted}"


def _left(lease: LeaseFact) -> str:
    if not lease.alive:
        return "gone"
    return "no end" if lease.left_s is None else f"{lease.left_s:.1f} s"


def _at_least(count: int, complete: bool) -> str:
    return str(count) if complete else f">= {count}"


def _moment(at_ms: int) -> str:
    try:
        moment = _EPOCH + timedelta(milliseconds=at_ms)
    except OverflowError:  # somebody wrote it by hand
        return f"{at_ms} ms after 1970"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} UTC"
