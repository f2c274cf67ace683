"""A distributed WebSocket gateway: several processes, no shared memory, any user from any gateway.

Start with `Gateway` (gateway.py) and `Config` (config.py); `Client` is the reconnecting client.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgateway.client import Client
    from wsgateway.config import Config
    from wsgateway.gateway import Gateway

__all__ = ["Client", "Config", "Gateway"]
__version__ = "0.1.0"

_HOMES = {"Client": "client", "Config": "config", "Gateway": "gateway"}


# Why: each command of the package comes through here, and a chat needs no gateway, nor a broker a
# client. Imported when asked for, they save half of the 0.2 s in which such a command starts.
# 原因：包里的每个命令都要经过这里，而聊天用不到网关，消息代理也用不到客户端。
# 用到时才导入，这类命令 0.2 秒的启动时间能省下一半。
def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
