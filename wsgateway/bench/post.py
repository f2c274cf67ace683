"""Objects between the bench and its load processes, over a Unix socket."""

import asyncio
import pickle
from typing import Any

_SIZE_BYTES = 4


def send(writer: asyncio.StreamWriter, what: Any) -> None:
    """Send an object; both ends are this package, in processes of one owner."""
    packed = pickle.dumps(what)
    writer.write(len(packed).to_bytes(_SIZE_BYTES) + packed)


async def receive(reader: asyncio.StreamReader) -> Any:
    """Wait for the next object.

    Raises:
        EOFError: the other end is gone.
    """
    try:
        size = int.from_bytes(await reader.readexactly(_SIZE_BYTES))
        return pickle.loads(await reader.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError):
        raise EOFError("the other process is gone") from None
