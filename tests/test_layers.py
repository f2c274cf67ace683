"""Who may import whom, read from the imports themselves; and no file or function too long."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "wsgateway"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))

# Which layer a module belongs to: the longest prefix counts.
LAYERS = {
    "pure": "protocol envelope errors heartbeat backoff dedup fate lane redis.url",
    "parts": "codec config hub connection frames incoming listener outbox websocket stats batch "
    "tasks turns spare logs",
    "command": "command",
    "contracts": "presence.base routers.base",
    "kafka": "kafka",
    "redis": "redis",
    "backends": "presence routers",
    "flow": "lanes fences local delivery registrar sessions",
    "gateway": "gateway http report",
    "client": "client",
    "brokers": "brokers",
    "programs": "__main__ demo process",
    "inspect": "inspect",
    "bench": "bench",
    "lab": "lab",
    "package": "__init__",
}
# What a layer may import; every layer may import itself, except where noted below.
ALLOWED = {
    "pure": "",
    "parts": "pure",
    "command": "",
    "contracts": "pure",
    "kafka": "pure parts contracts",
    "redis": "pure parts contracts",
    "backends": "pure parts contracts kafka redis",
    "flow": "pure parts contracts",
    "gateway": "pure parts contracts backends flow",
    "client": "pure command",
    "brokers": "pure command",
    "programs": "pure parts command gateway client brokers kafka",
    "inspect": "pure parts command contracts backends brokers kafka redis",
    "bench": "pure parts command contracts kafka redis backends flow gateway client brokers "
    "programs",
    "lab": "pure parts command contracts kafka backends flow gateway client brokers programs "
    "bench package",
    "package": "parts gateway client",
}
# Pure means: nothing here can wait, look at a clock, or reach outside the process.
PURE_LIBRARIES = "collections dataclasses enum functools json math msgspec random re typing"

# Outside the Kafka router, the only module that speaks to such a broker.
KNOWS_KAFKA = ("brokers.find_kafka",)

MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 50


def dotted(path: Path) -> str:
    """Return a module's name inside the package: `presence.redis`; `client` for its __init__."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


NAMES = {dotted(path) for path in MODULES}

every_module = pytest.mark.parametrize("path", MODULES, ids=dotted)


def layer(name: str) -> str:
    """Return the layer of a module; a new module needs a place in the table."""
    prefixes = {prefix: layer for layer, known in LAYERS.items() for prefix in known.split()}
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        found = prefixes.get(".".join(parts[:length]))
        if found:
            return found
    raise AssertionError(f"{name} has no layer: give it one in tests/test_layers.py")


def imports(path: Path) -> Iterator[str]:
    """Yield the full dotted name of everything a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inside(path: Path) -> set[str]:
    """Return the modules of this package that a module imports."""
    found = set()
    for name in imports(path):
        package, _, rest = name.partition(".")
        if package == "wsgateway":
            parts = rest.split(".")
            while parts and ".".join(parts) not in NAMES:
                parts.pop()  # a name inside a module
            found.add(".".join(parts) or "__init__")
    return found


@every_module
def test_imports_point_one_way(path: Path) -> None:
    own = layer(dotted(path))
    for name in inside(path):
        assert layer(name) in {own, *ALLOWED[own].split()}, f"{own} imports {name}"


@every_module
def test_backends_do_not_know_each_other(path: Path) -> None:
    if layer(dotted(path)) == "backends":
        assert "backends" not in {layer(name) for name in inside(path)}


@every_module
def test_pure_modules_use_pure_libraries(path: Path) -> None:
    if layer(dotted(path)) == "pure":
        outside = {name.partition(".")[0] for name in imports(path)} - {"wsgateway"}
        assert outside <= set(PURE_LIBRARIES.split())


@every_module
def test_only_the_lab_uses_what_only_the_lab_installs(path: Path) -> None:
    outside = {name.partition(".")[0] for name in imports(path)} - {"wsgateway"}
    runtime = {"hiredis", "msgspec", "prometheus_client", "redis", "uvloop", "websockets"}
    if layer(dotted(path)) == "kafka" or dotted(path) in KNOWS_KAFKA:
        runtime.add("aiokafka")  # an extra: whoever runs on Redis does without
    if layer(dotted(path)) not in ("lab", "bench"):
        assert outside <= set(sys.stdlib_module_names) | runtime


@every_module
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= MAX_FUNCTION_LINES, f"{node.name} has {lines} lines"


def test_every_layer_is_in_use() -> None:
    assert {layer(name) for name in NAMES} == set(LAYERS)
