"""What gateways and clients in this kernel logged: kept here, not thrown into the cells."""

import logging
from collections import deque

_KEPT = 1_000


class _Logbook(logging.Handler):
    """Keeps the last records as text."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=_KEPT)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


_logbook = _Logbook()


def keep() -> None:
    """Begin keeping records. Beginning twice is fine."""
    # Why: without any handler Python writes warnings to stderr, in the middle of whichever cell
    # happens to run. A lesson that kills Redis on purpose would fill the page with red.
    # 原因：没有任何 handler 时，Python 会把警告写到 stderr，落在碰巧正在运行的单元格里；
    # 课上故意杀掉 Redis，满屏就都是红字了。
    for name in ("wsgateway", "websockets", "aiokafka"):
        logging.getLogger(name).addHandler(_logbook)


def log(last: int = 20) -> None:
    """Print the last lines that gateways and clients in this kernel have logged."""
    for line in list(_logbook.lines)[-last:]:
        print(line)
