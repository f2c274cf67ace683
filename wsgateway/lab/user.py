"""A user of a lesson: our client, driven from the cells."""

from wsgateway.client import Client, Message
from wsgateway.lab.loop import shared_loop

_PATIENCE_S = 10.0


class User:
    """A connected user; the calls wait, and the stop button interrupts them.

    Args:
        client: the client, already registered, living in the lab's loop.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    def send(
        self, to: str, content: str, *, trace: bool = False, timeout_s: float = _PATIENCE_S
    ) -> str:
        """Send a message; return its status: delivered, routed, accepted, offline or unknown."""
        sending = self.client.send(to, content, trace=trace, timeout_s=timeout_s)
        return str(shared_loop().run(sending, timeout_s + 1))

    def receive(self, timeout_s: float = _PATIENCE_S) -> Message:
        """Wait for the next message.

        Raises:
            TimeoutError: none came in time.
        """
        return shared_loop().run(_next(self.client), timeout_s)

    @property
    def repeats(self) -> int:
        """Messages that came again, with an id this user's client had seen."""
        return self.client.duplicates

    def close(self) -> None:
        """Leave: presence forgets the user."""
        shared_loop().run(self.client.aclose())


async def _next(client: Client) -> Message:
    return await anext(client)
