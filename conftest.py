"""Settings of nbval that have no option."""

import pytest
from nbval.plugin import IPyNbCell

# Why: nbval gives up on a cell's outputs 5 s after its reply; a loaded machine may need longer.
# 原因：单元格回复之后，nbval 只等 5 秒输出；机器繁忙时可能不够。
_OUTPUT_TIMEOUT_S = 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every notebook cell time for its outputs."""
    for item in items:
        if isinstance(item, IPyNbCell):
            item.output_timeout = _OUTPUT_TIMEOUT_S
