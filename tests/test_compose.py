"""docker-compose.yml is valid and agrees with the code and the balancer. Needs no Docker."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka.client import AIOKafkaClient
from balancer import Balancer
from dockerfile import DOCKERFILE, PROJECT, ROOT, instruction

from wsgateway.__main__ import parser
from wsgateway.brokers import ApacheKafka
from wsgateway.brokers.apache_jars import kafka_version
from wsgateway.brokers.server import free_port
from wsgateway.config import ROUTERS, Config, env_name

COMPOSE = ROOT / "docker-compose.yml"
GATEWAYS = ("g1", "g2", "g3")
PINNED = r":v?\d+\.\d+\.\d+"

Service = dict[str, Any]


def validate(path: Path) -> subprocess.CompletedProcess[str]:
    """Check a compose file against the Compose Specification's JSON schema, offline."""
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)


def parsed(environ: dict[str, str]) -> dict[str, Service]:
    """Return the services, with `${NAME:-default}` filled in as Compose does."""
    text = re.sub(
        r"\$\{(\w+):-([^}]*)\}",
        lambda match: environ.get(match[1]) or match[2],
        COMPOSE.read_text("utf-8"),
    )
    assert "${" not in text
    services: dict[str, Service] = yaml.safe_load(text)["services"]
    return services


def settings(service: Service) -> Config:
    """Return what a gateway makes of its flags and environment."""
    image = dict([instruction("ENV").split("=", 1)])
    flags = vars(parser().parse_args(service["command"]))
    return Config.from_sources(flags, {**image, **service["environment"]})


def seconds(text: str) -> float:
    assert text.endswith("s")
    return float(text.removesuffix("s"))


@pytest.fixture
def services() -> dict[str, Service]:
    return parsed({})


def test_it_follows_the_compose_specification() -> None:
    result = validate(COMPOSE)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_schema_would_notice_a_misspelled_key(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE.read_text("utf-8").replace("healthcheck:", "healthchek:"), "utf-8")
    assert "healthchek" in validate(wrong).stdout


def test_every_image_is_pinned_to_a_full_version(services: dict[str, Service]) -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    for image in (*bases, *(service["image"] for service in services.values())):
        assert re.search(PINNED, image), image
    assert len(set(bases)) == 1


def test_every_port_is_open_to_this_machine_only_and_taken_once(
    services: dict[str, Service],
) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_profiles_bring_what_the_readme_promises(services: dict[str, Service]) -> None:
    chosen = {name: set(service.get("profiles", [])) for name, service in services.items()}
    assert {name for name in chosen if not chosen[name]} == {"redis"}
    assert {name for name in chosen if "kafka" in chosen[name]} == {"kafka", "kafka-ui"}
    assert {name for name in chosen if "cluster" in chosen[name]} == {*GATEWAYS, "balancer"}


def test_what_others_wait_for_tells_its_health(services: dict[str, Service]) -> None:
    for service in services.values():
        needs = service.get("depends_on", {})
        for name, how in needs.items() if isinstance(needs, dict) else ():
            assert how["condition"] == "service_healthy"
            assert "healthcheck" in services[name], name


def test_redis_is_where_the_gateway_looks_keeps_nothing_and_tells_its_health(
    services: dict[str, Service],
) -> None:
    redis = services["redis"]
    assert redis["ports"] == ["127.0.0.1:6379:6379"]
    assert redis["command"][1:] == ["--save", "", "--appendonly", "no"]
    assert redis["healthcheck"]["test"] == ["CMD", "redis-cli", "ping"]


def test_kafka_is_one_node_without_zookeeper_that_makes_no_topics(
    services: dict[str, Service],
) -> None:
    kafka = services["kafka"]["environment"]
    assert kafka["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert not [name for name in kafka if "ZOOKEEPER" in name]
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    copies = [name for name in kafka if name.endswith(("REPLICATION_FACTOR", "MIN_ISR"))]
    assert {kafka[name] for name in copies} == {1}, "there is no second node to copy to"


def test_kafka_tells_each_side_an_address_it_can_reach(services: dict[str, Service]) -> None:
    kafka = services["kafka"]["environment"]
    told = dict(pair.split("://") for pair in kafka["KAFKA_ADVERTISED_LISTENERS"].split(","))
    bound = dict(pair.split("://:") for pair in kafka["KAFKA_LISTENERS"].split(","))
    security = dict(
        pair.split(":") for pair in kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    )
    assert told == {"HOST": "127.0.0.1:9092", "COMPOSE": f"kafka:{bound['COMPOSE']}"}
    assert services["kafka"]["ports"] == [f"127.0.0.1:9092:{bound['HOST']}"]
    assert set(security) == set(bound) == {*told, kafka["KAFKA_CONTROLLER_LISTENER_NAMES"]}
    assert kafka["KAFKA_INTER_BROKER_LISTENER_NAME"] == "COMPOSE"
    assert kafka["KAFKA_CONTROLLER_QUORUM_VOTERS"] == f"1@localhost:{bound['CONTROLLER']}"
    for name in GATEWAYS:
        assert services[name]["environment"]["WSGATEWAY_KAFKA"] == told["COMPOSE"]
    ui = services["kafka-ui"]
    assert ui["environment"]["KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS"] == told["COMPOSE"]
    assert ui["ports"] == ["127.0.0.1:8090:8080"]
    assert f"localhost:{bound['COMPOSE']}" in services["kafka"]["healthcheck"]["test"]


async def test_the_kafka_we_test_with_takes_these_settings(
    services: dict[str, Service], apache_installed: None
) -> None:
    assert services["kafka"]["image"].endswith(f":{kafka_version()}")
    ports = {port: str(free_port()) for port in ("9092", "19092", "9093")}
    here = {f":{port}": f":{ports[port]}" for port in ports} | {"//kafka": "//127.0.0.1"}
    options = {}
    for name, value in services["kafka"]["environment"].items():
        if name.startswith("KAFKA_") and name != "KAFKA_LOG_DIRS":
            property_name = name.removeprefix("KAFKA_").lower().replace("_", ".")
            options[property_name] = re.sub("|".join(here), lambda m: here[m[0]], str(value))
    with ApacheKafka(int(ports["9092"]), options=options):
        for listener in ("9092", "19092"):
            address = f"127.0.0.1:{ports[listener]}"
            client = AIOKafkaClient(bootstrap_servers=address)
            await client.bootstrap()
            [broker] = client.cluster.brokers()
            assert f"{broker.host}:{broker.port}" == address, "told the address it asked"
            await client.close()


@pytest.mark.parametrize("router", ROUTERS)
def test_a_gateway_understands_what_it_is_given(router: str) -> None:
    services = parsed({"WSGATEWAY_ROUTER": router})
    for name in GATEWAYS:
        config = settings(services[name])
        assert (config.gateway_id, config.router) == (name, router)
        assert config.host == "0.0.0.0", "reachable from outside its container"
        assert config.redis == "redis://redis:6379"
        assert config.kafka is not None
        assert services[name]["image"] == f"wsgateway:{PROJECT['version']}"
        assert seconds(services[name]["stop_grace_period"]) > config.drain_s
    known = {env_name(one) for one in Config.__dataclass_fields__}
    assert set(services["g1"]["environment"]) <= known


def test_the_router_is_redis_unless_chosen(services: dict[str, Service]) -> None:
    assert {settings(services[name]).router for name in GATEWAYS} == {"redis"}


def test_the_balancer_has_its_configuration_and_knows_all_gateways(
    services: dict[str, Service],
) -> None:
    balancer = services["balancer"]
    [mounted] = balancer["volumes"]
    source, target, mode = mounted.split(":")
    assert (ROOT / source).is_file()
    assert (target, mode) == ("/usr/local/etc/haproxy/haproxy.cfg", "ro")
    for name in GATEWAYS:
        assert Balancer.preset(name.upper()) == f"{name}:{settings(services[name]).port}"
    assert balancer["depends_on"] == list(GATEWAYS)
    inside = [Balancer.preset("LISTEN"), Balancer.preset("STATUS")]
    default = Config(gateway_id="g1").port
    assert balancer["ports"] == [f"127.0.0.1:{default}{inside[0]}", f"127.0.0.1:8404{inside[1]}"]
    assert f"http://127.0.0.1{inside[0]}/health" in balancer["healthcheck"]["test"]


def test_the_balancer_is_more_patient_than_a_gateway_is_with_a_silent_client(
    services: dict[str, Service],
) -> None:
    config = settings(services["g1"])
    patience_s = config.heartbeat_timeout_s + config.sweep_s
    assert seconds(Balancer.preset("TUNNEL_TIMEOUT")) > patience_s
