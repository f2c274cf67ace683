"""The reconnecting client. `python -m wsgateway.client --help` is a chat made of it."""

from wsgateway.client.client import Client
from wsgateway.client.errors import (
    ClientClosed,
    GatewayUnreachable,
    Refused,
    RegisterRefused,
    SendRefused,
)
from wsgateway.client.events import (
    Connected,
    Disconnected,
    Event,
    LateFailure,
    Message,
    Retrying,
    Unreachable,
)
from wsgateway.client.options import Options
from wsgateway.errors import Replaced
from wsgateway.protocol import Hop, Status

__all__ = [
    "Client",
    "ClientClosed",
    "Connected",
    "Disconnected",
    "Event",
    "GatewayUnreachable",
    "Hop",
    "LateFailure",
    "Message",
    "Options",
    "Refused",
    "RegisterRefused",
    "Replaced",
    "Retrying",
    "SendRefused",
    "Status",
    "Unreachable",
]
