"""A distributed WebSocket gateway: several processes, no shared memory, any user from any gateway.

Start with `Gateway` (gateway.py) and `Config` (config.py); `Client` is the reconnecting client.
"""

from wsgateway.client import Client
from wsgateway.config import Config
from wsgateway.gateway import Gateway

__all__ = ["Client", "Config", "Gateway"]
__version__ = "0.1.0"
