"""The stop button, on a real kernel: the wait ends, and every gateway lives on."""

from collections.abc import Iterator

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

START = """
from wsgateway import lab
cluster = lab.Cluster("g1"); cluster.start()
crowd = lab.Cluster("p1", processes=True, name="crowd"); crowd.start()
bob, ben = cluster.user("bob", on="g1"), crowd.user("ben", on="p1")
"""
WAIT = 'print("waiting"); {user}.receive(timeout_s=3600)'
GO_ON = """
anna, alice = crowd.user("anna", on="p1"), cluster.user("alice", on="g1")
assert anna.send("ben", "hi") == alice.send("bob", "hi") == "delivered"
assert bob.receive().content == ben.receive().content == "hi"
crowd.close(); cluster.close()
"""


@pytest.fixture
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager, client = start_new_kernel()
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel()


def run(client: BlockingKernelClient, code: str) -> str:
    """Run code; return "ok" or the name of its error."""
    content = client.execute_interactive(code, timeout=60, output_hook=lambda _: None)["content"]
    return content.get("ename", content["status"])


def test_the_stop_button(kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
    manager, client = kernel
    assert run(client, START) == "ok"
    for user in ("bob", "ben"):

        def stop_when_waiting(message: dict[str, dict[str, str]]) -> None:
            if message["content"].get("text", "").startswith("waiting"):
                manager.interrupt_kernel()

        code = WAIT.format(user=user)
        reply = client.execute_interactive(code, timeout=60, output_hook=stop_when_waiting)
        assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert run(client, GO_ON) == "ok"
