"""docker-compose.yml is valid, and starts the Redis the README promises. Needs no Docker."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

COMPOSE = Path(__file__).parent.parent / "docker-compose.yml"


def validate(path: Path) -> subprocess.CompletedProcess[str]:
    """Check a compose file against the Compose Specification's JSON schema, offline."""
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)


@pytest.fixture
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    return services


def test_it_follows_the_compose_specification() -> None:
    result = validate(COMPOSE)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_schema_would_notice_a_misspelled_key(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE.read_text("utf-8").replace("healthcheck:", "healthchek:"), "utf-8")
    assert "healthchek" in validate(wrong).stdout


def test_every_image_is_pinned_to_a_full_version(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert re.search(r":\d+\.\d+\.\d+", service["image"]), name


def test_every_port_is_open_to_this_machine_only(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_redis_is_where_the_gateway_looks_keeps_nothing_and_tells_its_health(
    services: dict[str, Any],
) -> None:
    redis = services["redis"]
    assert redis["ports"] == ["127.0.0.1:6379:6379"]
    assert redis["command"][1:] == ["--save", "", "--appendonly", "no"]
    assert redis["healthcheck"]["test"] == ["CMD", "redis-cli", "ping"]
