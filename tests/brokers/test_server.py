"""Ports are handed out once, to whichever process asks."""

import random
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator

import pytest

from wsgateway.brokers import free_port
from wsgateway.brokers import server as server_module
from wsgateway.errors import BrokerError

ASK = """
from types import SimpleNamespace
from wsgateway.brokers import server
server._rng = SimpleNamespace(sample=lambda ports, count: {offered})
print(server.free_port())
"""


class Offers(random.Random):
    """A source of ports that always offers the same few."""

    def __init__(self, ports: list[int]) -> None:
        super().__init__()
        self._ports = ports

    def sample(self, *_: object, **__: object) -> list[int]:
        return self._ports


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    claims: deque[int] = deque()
    monkeypatch.setattr(server_module, "_claims", claims)
    ports = [free_port() for _ in range(3)]
    let_go(claims)
    monkeypatch.setattr(server_module, "_rng", Offers(ports))
    yield ports
    let_go(claims)


def let_go(claims: deque[int]) -> None:
    while claims:
        socket.close(claims.popleft())


def test_a_port_is_given_once_though_nobody_listens_there_yet(offered: list[int]) -> None:
    assert [free_port() for _ in offered] == offered
    with pytest.raises(BrokerError, match="no free port"):
        free_port()


def test_another_process_is_not_given_it_either(offered: list[int]) -> None:
    mine = free_port()
    asked = [sys.executable, "-c", ASK.format(offered=offered)]
    theirs = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
    assert [mine, int(theirs.stdout)] == offered[:2]
    assert free_port() == offered[1], "what a process held is free when it has ended"


def test_only_the_latest_ports_are_held(
    offered: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_CLAIMS", 2)
    assert [free_port() for _ in range(4)] == [*offered, offered[0]]
