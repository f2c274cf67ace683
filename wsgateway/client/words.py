"""Why a connection failed or ended, worded for a person."""

from websockets.exceptions import InvalidStatus

from wsgateway.client.events import NO_CLOSE_FRAME
from wsgateway.client.frames import reconnect_hint_ms
from wsgateway.command import reason as system_reason


def of_failure(error: Exception, timeout_s: float) -> str:
    """Say why an attempt to connect and register failed.

    Args:
        error: what it raised.
        timeout_s: the bound the attempt had, seconds.
    """
    if isinstance(error, TimeoutError) and error.errno is None:
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, InvalidStatus):
        answer = error.response
        hint = "; a gateway's path is /ws" if answer.status_code == 404 else ""
        return f"HTTP {answer.status_code} {answer.reason_phrase}{hint}"
    return system_reason(error) or type(error).__name__


def of_close(code: int, reason: str) -> str:
    """Say why a connection ended; a hint meant for programs is left out.

    Args:
        code: the close code.
        reason: the text that came with it.
    """
    if reconnect_hint_ms(reason) is not None:
        why = "it is shutting down"
    elif code == NO_CLOSE_FRAME:
        why = reason or "the connection broke"
    else:
        why = reason or "it closed the connection"
    return f"{why} (close code {code})"
