"""Logging for people (text) or machines (one JSON object a line), on standard error."""

import logging
import sys
import time

import msgspec


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time, level, logger, message, and the exception if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        fields = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(fields).decode()


def configure(level: str, log_format: str) -> None:
    """Send records of `level` (debug, info, warning, error) and above to standard error.

    Args:
        level: lowest level shown.
        log_format: "text" or "json".
    """
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(
        JsonFormatter()
        if log_format == "json"
        else logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
    )
    logging.basicConfig(level=level.upper(), handlers=[output], force=True)
    # Why: at "debug" websockets logs what users write, at "info" every connection; and failed
    # handshakes (port scanners, health checks that hang up) would fill the log with tracebacks.
    # Our own counters tell more, and a fault in a connection is logged by sessions.py.
    # 原因：websockets 在 debug 级别会记录用户写的内容，在 info 级别逐连接打日志，
    # 握手失败（端口扫描、挂断的健康检查）还会刷出一堆回溯；我们自己的计数器更有用，
    # 连接里的故障由 sessions.py 记录。
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    # Why: it calls every reconnect an error, and at "debug" logs whole records. What matters of
    # it is logged, in one line each, by wsgateway.kafka.
    # 原因：它把每次重连都记成错误，debug 级别还会打印整条记录；
    # 要紧的由 wsgateway.kafka 各用一行记录。
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
