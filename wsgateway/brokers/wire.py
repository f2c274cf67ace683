"""The two Kafka requests that tell what a broker is; bytes in, bytes out, no I/O.

A client library negotiates them and keeps the answers to itself, so they are spelled out here.
Field by field as https://kafka.apache.org/protocol gives them.
"""

import struct

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


def metadata_version(reply: bytes) -> int | None:
    """Return the highest `metadata.version` the broker supports; None if it tells none.

    Raises:
        NotKafka: it is no reply to `ask_versions`.
    """
    reader = _Reader(reply, correlation=1)
    if reader.number(">h"):
        return None  # it does not know this version of the request, and answers in an older one
    for _ in range(reader.varint() - 1):
        reader.take(6)  # key, lowest and highest version of one request
        reader.skip_tags()
    reader.number(">i")  # throttle time
    for _ in range(reader.varint()):
        tag, features = reader.varint(), _Reader(reader.take(reader.varint()))
        if tag == 0:
            for _ in range(features.varint() - 1):
                name = features.take(features.varint() - 1)
                _, highest = features.number(">h"), features.number(">h")
                features.skip_tags()
                if name == b"metadata.version":
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

    def skip_tags(self) -> None:
        for _ in range(self.varint()):
            self.varint()
            self.take(self.varint())
