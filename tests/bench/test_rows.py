"""Rows say what the runs on file say."""

from wsgateway.bench import rows


def test_rounds_are_medians_with_their_spread_and_peers_a_ratio_to_ours() -> None:
    ours = {"server": "ours", "per_s": [190, 200, 400], "p50_ms": [0.5], "p99_ms": [4, 6, 5]}
    ours |= {"kib_per_connection": [12.0], "lost": 0, "reordered": 0}
    peer = {**ours, "server": "peer", "per_s": [100], "p50_ms": [], "lost": 1_234}
    faster = {**ours, "server": "faster", "per_s": [800]}
    _, *made = rows.compare([{"numbers": {"compare": [ours, peer, faster]}}])
    assert [row[0] for row in made] == ["faster", "ours", "peer"]
    assert made[0][1:4] == ("800", "800-800", "0.25")
    assert made[1] == ("ours", "200", "190-400", "", "0.50", "5.00", "12.0", "0", "0")
    assert made[2] == ("peer", "100", "100-100", "2.00", "nan", "5.00", "12.0", "1,234", "0")


def test_idle_connections_show_what_was_measured_and_nothing_else() -> None:
    numbers = {"users": 5_000, "kib_per_connection": 12.34, "silent_cpu_percent": 0.5}
    numbers |= {"churn_rss_after_kib": 2_048}
    _, *made = rows.connections([{"numbers": numbers}])
    assert [row[1] for row in made] == ["5,000", "12.3", "0.50", "2.0"]


def test_overload_shows_medians_of_its_runs_and_of_their_ratios() -> None:
    names = ("calm users alone", "calm users beside them", "calm users of other gateways")
    runs = [
        {
            "numbers": {"calm_p99_ratio": ratio, "calm_p99_aside_ratio": 1.2},
            "outcomes": [{"name": name, "p50": 1.0, "p99": p99_ms} for name in names],
        }
        for p99_ms, ratio in ((4.0, 2.0), (5.0, 3.0), (90.0, 20.0))
    ]
    _, alone, beside, aside = rows.overload(runs)
    assert alone[1:] == ("1.0", "5.0", "4.0-90.0", "")
    assert beside[1:] == ("1.0", "5.0", "4.0-90.0", "3.0")
    assert aside[-1] == "1.2"


def test_latency_has_a_row_per_broker_with_the_medians_of_its_runs() -> None:
    tansu = {"hop_broker": "Tansu", "p50_ms": 4.0, "p99_ms": 9.5, "hop_p50_ms": 3.2}
    tansu |= {"hop_p99_ms": 7.0, "p50_to_hop_ratio": 1.25}
    apache = [tansu | {"hop_broker": "Apache", "p50_ms": p50_ms} for p50_ms in (1.0, 30.0, 2.0)]
    _, *made = rows.latency([{"numbers": one} for one in (tansu, *apache)])
    assert made == [
        ("Tansu", "4.00", "9.50", "3.20", "7.00", "1.25"),
        ("Apache", "2.00", "9.50", "3.20", "7.00", "1.25"),
    ]
