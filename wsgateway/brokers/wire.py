"""The two Kafka requests that tell what a broker is; bytes in, bytes out, no I/O.

A client library negotiates them and keeps the answers to itself, so they are spelled out here.
Field by field as https://kafka.apache.org/protocol gives them.
"""

import struct
from typing import NamedTuple

_METADATA = 3
_API_VERSIONS = 18
_NO_TAGS = b"\0"


class NotKafka(Exception):
    """These bytes are no answer to what was asked."""


def ask_cluster() -> bytes:
    """Return a Metadata request, version 2, about no topic."""
    # Why: an empty list means none, while leaving it out means all topics; and Tansu creates every
    # topic it is asked about.
    # 原因：空列表表示不问任何主题，省略则表示问全部主题；而 Tansu 会创建所有被问到的主题。
    return _framed(struct.pack(">hhihi", _METADATA, 2, 1, -1, 0))


def cluster_id(reply: bytes) -> str:
    """Return the cluster id in a reply to `ask_cluster`; empty text if it has none.

    Raises:
        NotKafka: it is no such reply.
    """
    reader = _Reader(reply, correlation=1)
    for _ in range(reader.number(">i")):
        reader.number(">i")  # node id
        reader.text(">h")  # host
        reader.number(">i")  # port
        reader.text(">h")  # rack
    return reader.text(">h")


def ask_versions() -> bytes:
    """Return an ApiVersions request, version 3: the first whose reply tells the features."""
    client = _compact("wsgateway") + _compact("0")
    return _framed(struct.pack(">hhih", _API_VERSIONS, 3, 1, -1) + _NO_TAGS + client + _NO_TAGS)


class Versions(NamedTuple):
    """What a broker tells of itself.

    Args:
        requests: keys of the requests it answers.
        metadata_version: the highest `metadata.version` it supports; None if it tells none.
    """

    requests: frozenset[int]
    metadata_version: int | None


def versions(reply: bytes) -> Versions:
    """Return what a reply to `ask_versions` tells.

    Raises:
        NotKafka: it is no such reply.
    """
    reader = _Reader(reply, correlation=1)
    error = reader.number(">h")
    if error:  # it does not know version 3, and answers in version 0
        keys = (_key(reader) for _ in range(reader.number(">i")))
        return Versions(frozenset(keys), None)
    requests = set()
    for _ in range(reader.varint() - 1):
        requests.add(_key(reader))
        reader.tags()
    reader.number(">i")  # throttle time
    supported = reader.tags().get(0, b"\1")
    return Versions(frozenset(requests), _feature(_Reader(supported), b"metadata.version"))


def _key(reader: "_Reader") -> int:
    key = reader.number(">h")
    reader.take(4)  # its lowest and highest version
    return key


def _feature(reader: "_Reader", wanted: bytes) -> int | None:
    for _ in range(reader.varint() - 1):
        name = reader.take(reader.varint() - 1)
        _, highest = reader.number(">h"), reader.number(">h")
        reader.tags()
        if name == wanted:
            return highest
    return None


def _framed(request: bytes) -> bytes:
    return struct.pack(">i", len(request)) + request


def _compact(text: str) -> bytes:
    return bytes([len(text) + 1]) + text.encode()  # short ones only: the length is a varint


class _Reader:
    """Reads fields one after the other."""

    def __init__(self, data: bytes, correlation: int | None = None) -> None:
        self._data = data
        self._at = 0
        if correlation is not None and self.number(">i") != correlation:
            raise NotKafka

    def take(self, length: int) -> bytes:
        found = self._data[self._at : self._at + length]
        if length < 0 or len(found) < length:
            raise NotKafka
        self._at += length
        return found

    def number(self, kind: str) -> int:
        (found,) = struct.unpack(kind, self.take(struct.calcsize(kind)))
        return int(found)

    def text(self, kind: str) -> str:
        return self.take(max(0, self.number(kind))).decode("utf-8", "replace")

    def varint(self) -> int:
        found = shift = 0
        while True:
            byte = self.number(">B")
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
            shift += 7

    def tags(self) -> dict[int, bytes]:
        return {self.varint(): self.take(self.varint()) for _ in range(self.varint())}
