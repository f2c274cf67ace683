"""What a `Client` raises beside `Replaced`."""

from wsgateway.errors import WsGatewayError


class Refused(WsGatewayError):
    """The gateway, or this client in its place, refuses a request; asking again is no use.

    Args:
        code: a code of an error frame, or `too_big`, which never reaches a gateway.
        message: one English sentence for a person.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class SendRefused(Refused):
    """A message was refused: it was not sent on."""


class RegisterRefused(Refused):
    """The gateway will not register this user."""


class GatewayUnreachable(WsGatewayError):
    """No gateway of the list registered the user in time."""


class ClientClosed(WsGatewayError):
    """The client is not running: not entered yet, or left already."""
