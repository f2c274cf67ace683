"""`docs/failover-results.md`: what full runs gave. The command alone writes it."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from wsgateway.lab.reconnect.account import Account
from wsgateway.lab.reconnect.policies import BASE_S, CAP_S, POLICIES
from wsgateway.lab.reconnect.simulate import Outage
from wsgateway.lab.reconnect.storm import Storm

_OUTAGE_EN = """\
One gateway process is killed with SIGKILL under {clients:,} connections; about a second later a
replacement with another id starts at the same address. One run for each way to wait, one after
the other. The clients are those of this package, all of them in one load process, which alone
holds back those who do not wait; only their schedule differs: base {base:g} s, cap {cap:g} s.
Times count from the kill. An attempt counts when its client's timer says go."""
_OUTAGE_ZH = """\
一个网关进程在 {clients:,} 条连接下被 SIGKILL 杀掉；约一秒后，一个换了 id 的替补在同一地址启\
动。每种等法各跑一次，一次接一次。客户端就是本包的客户端，全部在一个负载进程里（完全不等的那\
组只受它限制），只有等法不同：base {base:g} s，cap {cap:g} s。时间从被杀那一刻算起。尝试按客\
户端的定时器到点的时刻计。"""
_PART_EN = """\
Two gateways with {clients:,} connections each leave in the same moment, one by SIGKILL, one by
SIGTERM; a third is there all the time and takes everyone. The clients are as shipped. The last
column counts the records that named a dead gateway at the worst moment seen."""
_PART_ZH = """\
两个网关各有 {clients:,} 条连接，在同一刻离场，一个被 SIGKILL 杀掉，一个收到 SIGTERM；第三个\
一直都在，接住所有人。客户端用出厂设置。最后一列是所见最坏一刻写着死网关的记录数。"""
_MODEL_EN = """\
The same schedules without machines, {clients:,} clients, {down:g} s of silence, then {limit}
registrations per second and a refusal for everyone else. The median of {seeds} seeds, and in
brackets the worst. A refusal costs the gateway of this model nothing, which flatters those who
do not wait."""
_MODEL_ZH = """\
同样的等法，不用机器：{clients:,} 个客户端，{down:g} s 无人应答，之后每秒注册 {limit} 个，其\
余一律拒绝。取 {seeds} 个种子的中位数，括号里是最差的一次。在这个模型里拒绝不花网关任何代价\
，这偏袒了完全不等的客户端。"""
_TITLE = "# Failover: results / 故障转移：实测结果"
_BY_EN = """\
Written by `{command}`, and by nothing else.
What it measures and why is in [the deep dive](05-failover.md)."""
_BY_ZH = "本页由 `{command}` 生成，别的都不写它。测什么、为什么，见[深入说明](05-failover.md)。"


def page(
    command: str,
    outages: Mapping[str, Account],
    part: Account,
    model: Mapping[str, Sequence[Storm]],
    outage: Outage,
    machine: Mapping[str, Any],
) -> str:
    """Return the page.

    Args:
        command: how it was made.
        outages: schedule -> the run in which everyone came back by it.
        part: a crash beside a drain.
        model: schedule -> its simulated storms, one for each seed.
        outage: what was simulated.
        machine: facts, as `wsgateway.bench.machine` tells them.
    """
    one = next(iter(outages.values()))
    run = f"{_foot(machine)}, {one.broker}, seed {one.seed}"
    clients = {name: storm.clients for name, storm in part.storms.items()}
    numbers = {"clients": next(iter(one.storms.values())).clients, "base": BASE_S, "cap": CAP_S}
    modelled = {
        "clients": outage.clients,
        "down": outage.down_s,
        "limit": outage.limit_per_s,
        "seeds": len(next(iter(model.values()))),
    }
    return "\n".join(
        [
            _TITLE,
            _both(_BY_EN.format(command=command), _BY_ZH.format(command=command)),
            "## An outage / 一次停机",
            _both(_OUTAGE_EN.format(**numbers), _OUTAGE_ZH.format(**numbers)),
            _outages(outages, run),
            "\n## Crash beside drain / 崩溃与排空",
            _both(
                _PART_EN.format(clients=clients["drain"]), _PART_ZH.format(clients=clients["drain"])
            ),
            _part(part, run),
            "\n## With a limit, simulated / 有限额时（模拟）",
            _both(_MODEL_EN.format(**modelled), _MODEL_ZH.format(**modelled)),
            _model(model),
            "",
        ]
    )


def _outages(outages: Mapping[str, Account], run: str) -> str:
    head = (
        "schedule / 等法",
        "replaced after s / 替补就绪 s",
        "highest peak per 0.1 s / 最高峰（每 0.1 s）",
        "attempts per client / 人均尝试",
        "half back after s / 半数回来 s",
        "all back after s / 全部回来 s",
        "presence healed after s / 在线状态复原 s",
    )
    rows = []
    for name, account in outages.items():
        (storm,) = account.storms.values()
        rows.append(
            (
                f"{name} / {POLICIES[name].zh}",
                f"{account.up_s:.2f}",
                f"{storm.peak():,}",
                f"{storm.attempts_each:.1f}",
                f"{median(storm.back):.2f}",
                f"{storm.all_back_s:.2f}",
                f"{account.healed_s(name):.2f}",
            )
        )
    return _table(head, rows, run)


def _part(part: Account, run: str) -> str:
    head = (
        "end / 离场方式",
        "close code / 关闭码",
        "highest peak per 0.1 s / 最高峰（每 0.1 s）",
        "attempts per client / 人均尝试",
        "all back after s / 全部回来 s",
        "records naming the dead / 写着死网关的记录",
    )
    names = {"crash": "crash (SIGKILL) / 崩溃", "drain": "drain (SIGTERM) / 排空"}
    rows = [
        (
            names[name],
            ", ".join(part.codes[name]),
            f"{storm.peak():,}",
            f"{storm.attempts_each:.1f}",
            f"{storm.all_back_s:.2f}",
            f"{part.most_dead(name):,}",
        )
        for name, storm in part.storms.items()
    ]
    return _table(head, rows, run)


def _model(model: Mapping[str, Sequence[Storm]]) -> str:
    head = (
        "schedule / 等法",
        "highest peak per 0.1 s / 最高峰（每 0.1 s）",
        "attempts per client / 人均尝试",
        "all back after s / 全部回来 s",
    )
    rows = [
        (
            f"{name} / {POLICIES[name].zh}",
            _spread([storm.peak() for storm in storms], ",.0f"),
            _spread([storm.attempts_each for storm in storms], ".1f"),
            _spread([storm.all_back_s for storm in storms], ".1f"),
        )
        for name, storms in model.items()
    ]
    return _table(head, rows, "a simulation / 模拟")


def _spread(values: Sequence[float], how: str) -> str:
    return f"{median(values):{how}} ({max(values):{how}})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], foot: str) -> str:
    last = [f"*{foot}*", *[""] * (len(head) - 1)]
    lines = [head, ["---"] * len(head), *rows, last]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _foot(machine: Mapping[str, Any]) -> str:
    cores = machine["usable_cores"]
    libraries = machine["libraries"]
    return (
        f"{cores} cores / {cores} 核, {machine['cpu']}, Python {machine['python']}, "
        f"wsgateway {libraries['wsgateway']}, websockets {libraries['websockets']}, "
        f"uvloop {libraries['uvloop']}"
    )


def _both(en: str, zh: str) -> str:
    return f'\n<div lang="en">\n\n{en}\n\n</div>\n<div lang="zh">\n\n{zh}\n\n</div>\n'
