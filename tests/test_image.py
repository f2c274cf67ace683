"""The image of a gateway: what goes in, and how it runs. Needs no Docker."""

import json
import re
import subprocess
import sys
from fnmatch import fnmatch

from dockerfile import DOCKERFILE, PROJECT, ROOT, instruction
from raw import until

from wsgateway.brokers import RedisServer
from wsgateway.brokers.server import free_port
from wsgateway.config import Config
from wsgateway.process import GatewayProcess


def test_the_image_is_built_from_files_that_exist_and_are_let_through() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line]
    ignored = [line for line in rules if not line.startswith(("#", "!"))]
    let_in = {line.removeprefix("!") for line in rules if line.startswith("!")}
    assert ignored[0] == "*"
    sources: list[str] = []
    for words in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE):
        sources += words.split()[:-1]
    assert set(sources) == let_in, "no more and no less than the image needs"
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not any(fnmatch(source, rule) for rule in ignored[1:]), source


def test_the_image_has_a_python_and_extras_that_the_package_knows() -> None:
    [version] = set(re.findall(r"python:(\d+\.\d+)", DOCKERFILE))
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]
    [extras] = re.findall(r"pip install .*'\.\[(.*)\]'", DOCKERFILE)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_image_runs_the_gateway_as_an_ordinary_user() -> None:
    assert instruction("USER") == re.findall(r"^RUN useradd .* (\w+)$", DOCKERFILE, re.MULTILINE)[0]
    assert json.loads(instruction("ENTRYPOINT"))[1:] == ["-m", "wsgateway"]
    assert int(instruction("EXPOSE")) == Config(gateway_id="g1").port


async def test_the_health_check_of_the_image_tells_a_healthy_gateway() -> None:
    words = json.loads(instruction("HEALTHCHECK").partition(" CMD ")[2])
    check = [sys.executable, *words[1:]]
    port = str(free_port())

    def healthy() -> bool:
        environ = {"WSGATEWAY_PORT": port, "http_proxy": "http://127.0.0.1:1"}
        return subprocess.run(check, env=environ, capture_output=True, check=False).returncode == 0

    assert not healthy()
    with RedisServer() as redis:
        flags = ("--port", port, "--redis-timeout-s", "0.3", "--canary-s", "0.1")
        async with GatewayProcess("g1", redis=redis.url, flags=flags):
            assert healthy()
            redis.kill()
            await until(lambda: not healthy())
