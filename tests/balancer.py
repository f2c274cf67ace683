"""The shipped HAProxy configuration on a real HAProxy, before gateways on free ports."""

import asyncio
import csv
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest
from raw import PATIENCE_S

from wsgateway.brokers.server import Server, free_port

CONFIG = Path(__file__).parent.parent / "deploy" / "haproxy.cfg"


def haproxy() -> str:
    """Return the program; without it a test fails in CI, and is skipped elsewhere."""
    # Why: Debian puts it into /usr/sbin, which is not on the PATH of every user.
    # 原因：Debian 把它装在 /usr/sbin，而这个目录不在每个用户的 PATH 里。
    found = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        lack = "no haproxy on this machine: sudo apt-get install haproxy"
        if os.environ.get("CI"):
            pytest.fail(lack)
        pytest.skip(lack)
    return found


class Balancer(Server):
    """HAProxy with `deploy/haproxy.cfg`.

    Args:
        gateways: names in the configuration (g1, g2, g3) and the port of each.
        tunnel_timeout_s: another tunnel timeout than the shipped one, seconds.
    """

    program = "HAProxy"

    @staticmethod
    def preset(name: str) -> str:
        """Return what the configuration says when the environment does not."""
        lines = (line.split() for line in CONFIG.read_text("utf-8").splitlines())
        [value] = [line[2] for line in lines if line[:2] == ["presetenv", name]]
        return value

    def __init__(
        self, gateways: Mapping[str, int], *, tunnel_timeout_s: float | None = None
    ) -> None:
        super().__init__()
        self._status_url = ""
        self.environment = {name.upper(): f"127.0.0.1:{gateways[name]}" for name in gateways}
        self.environment["MAXCONN"] = "500"  # not all machines allow open files for 10,000
        if tunnel_timeout_s is not None:
            self.environment["TUNNEL_TIMEOUT"] = f"{tunnel_timeout_s * 1000:.0f}ms"

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def log(self) -> list[str]:
        """A line for each connection that has ended, and for each gateway that came or went."""
        assert self._directory is not None
        return self._said(self._directory)

    async def get(self, path: str) -> tuple[int, str]:
        """Return status and body of a page, as a client gets it."""
        return await asyncio.to_thread(_get, f"http://127.0.0.1:{self.port}{path}")

    async def sessions(self, gateway: str) -> int:
        """Return how many connections it holds to `gateway`."""
        return int((await self._row(gateway))["scur"])

    async def until(self, gateway: str, state: str) -> None:
        """Wait until it thinks that `gateway` is UP or DOWN."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self._row(gateway))["status"] != state:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def _row(self, gateway: str) -> dict[str, str]:
        _, text = await asyncio.to_thread(_get, f"{self._status_url};csv")
        rows = csv.DictReader(text.removeprefix("# ").splitlines())
        [row] = [row for row in rows if row["svname"] == gateway]
        return row

    def _command(self, directory: Path, port: int) -> list[str]:
        status = f"127.0.0.1:{free_port()}"
        self._status_url = f"http://{status}/"
        self.environment |= {"LISTEN": f"127.0.0.1:{port}", "STATUS": status}
        # -dR: two on one port would share its clients, instead of the second one failing.
        run = [haproxy(), "-db", "-dR", "-f", str(CONFIG)]
        return ["/bin/sh", "-c", 'exec "$@" >&2', "sh", *run]  # its log beside its warnings

    def _answer(self, pid: int, directory: Path, port: int) -> str | None:
        try:
            _, page = _get(self._status_url)
        except urllib.error.URLError:
            return None
        return self.program if f"pid = </b> {pid} " in page else None


def _get(url: str) -> tuple[int, str]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=PATIENCE_S) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
