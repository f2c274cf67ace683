"""The two requests that tell what a broker is: their bytes, and any bytes for an answer."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgateway.brokers.wire import (
    NotKafka,
    Versions,
    ask_cluster,
    ask_versions,
    cluster_id,
    versions,
)

# ApiVersions 3: no error, keys 0 and 3, no throttle, tag 0: metadata.version 7 to 29.
FEATURE = b"\x02\x11metadata.version" + struct.pack(">hh", 7, 29) + b"\0"
TOLD = (
    struct.pack(">ih", 1, 0)
    + b"\x03"
    + struct.pack(">hhh", 0, 0, 9)
    + b"\0"
    + struct.pack(">hhh", 3, 0, 12)
    + b"\0"
    + struct.pack(">i", 0)
    + bytes([2, 0, len(FEATURE)])
    + FEATURE
    + b"\x01\x08"
    + bytes(8)
)
# Metadata 2: one broker (node, host, port, no rack), cluster "c-1".
CLUSTER = struct.pack(">iii", 1, 1, 111) + b"\0\x01h" + struct.pack(">ih", 9, -1) + b"\0\x03c-1"


def test_a_request_begins_with_its_length() -> None:
    for request in (ask_cluster(), ask_versions()):
        assert struct.unpack(">I", request[:4]) == (len(request) - 4,)


def test_what_a_broker_tells_is_read() -> None:
    assert versions(TOLD) == Versions(frozenset({0, 3}), 29)
    assert cluster_id(CLUSTER) == "c-1"


def test_an_older_broker_answers_in_version_0() -> None:
    reply = struct.pack(">ihi", 1, 35, 2) + struct.pack(">hhhhhh", 1, 0, 4, 18, 0, 2)
    assert versions(reply) == Versions(frozenset({1, 18}), None)


@pytest.mark.parametrize("parse", [versions, cluster_id])
@given(garbage=st.binary(max_size=200))
def test_garbage_is_no_kafka(parse: "type[object]", garbage: bytes) -> None:
    with pytest.raises(NotKafka):
        parse(b"\0\0\0\2" + garbage)  # an answer to something else


@pytest.mark.parametrize(("parse", "good"), [(versions, TOLD), (cluster_id, CLUSTER)])
@given(data=st.data())
def test_a_cut_or_broken_answer_is_read_or_refused(
    parse: "type[object]", good: bytes, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(good) - 1))
    with pytest.raises(NotKafka):
        parse(good[:cut])
    broken = good[:cut] + data.draw(st.binary(min_size=1, max_size=9)) + good[cut + 1 :]
    try:
        parse(broken)
    except NotKafka:
        return
