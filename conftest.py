"""Settings that pytest and nbval have no option for."""

import signal

import pytest
from nbval.plugin import IPyNbCell

# Why: nbval gives up on a cell's outputs 5 s after its reply; a loaded machine may need longer.
# 原因：单元格回复之后，nbval 只等 5 秒输出；机器繁忙时可能不够。
_OUTPUT_TIMEOUT_S = 60


def pytest_configure() -> None:
    """Let Ctrl-C reach the tests that press it."""
    # Why: what a shell script starts in the background ignores SIGINT, and so do its children.
    # 原因：脚本放到后台的进程会忽略 SIGINT，它的子进程也一样。
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every notebook cell time for its outputs."""
    for item in items:
        if isinstance(item, IPyNbCell):
            item.output_timeout = _OUTPUT_TIMEOUT_S
