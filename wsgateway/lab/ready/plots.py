"""The cluster drawn as it is; a conversation while a cell sleeps."""

from typing import Any

from matplotlib.patches import FancyBboxPatch

from wsgateway.lab.language import text
from wsgateway.lab.picture import BLUE, GREEN, GREY, ORANGE, Picture, canvas, label
from wsgateway.lab.ready.state import Chat, State

_TOP, _MIDDLE, _BOTTOM = 3.6, 2.0, 0.4


def cluster(state: State) -> Picture:
    """Draw Redis, the gateways below it, and below each gateway its users."""
    with canvas(
        "The cluster as it is: Redis above, gateways below it, each user below a gateway.",
        "集群现状：上面是 Redis，下面是网关，每个用户在自己的网关下面。",
        height_in=5.2,
    ) as made:
        axes = made.figure.add_subplot()
        axes.set_axis_off()
        axes.set_xlim(0, 10)
        axes.set_ylim(-0.4, 4.3)
        inside = [pid for pid in state.gateways.values() if pid == state.kernel]
        if inside:
            _kernel(axes, state.kernel)
        at = {name: 10 * (n + 0.5) / len(state.gateways) for n, name in enumerate(state.gateways)}
        _box(axes, 5.0, _TOP, state.broker, ("a process of its own", "独立的进程"), ORANGE)
        for name, x in at.items():
            axes.plot([x, 5.0], [_MIDDLE, _TOP], color=GREY, zorder=0)
            count = state.connections[name]
            role = (f"gateway, connections: {count}", f"网关，连接数：{count}")
            if state.gateways[name] != state.kernel:
                role = (f"process {state.gateways[name]}", f"进程 {state.gateways[name]}")
            _box(axes, x, _MIDDLE, name, role, BLUE)
        for home, x in at.items():
            here = [user for user, where in state.homes.items() if where == home]
            for number, user in enumerate(here):
                left = x + 1.9 * (number - (len(here) - 1) / 2)
                axes.plot([left, x], [_BOTTOM, _MIDDLE], color=GREEN, zorder=0)
                _box(axes, left, _BOTTOM, user, ("client", "客户端"), GREEN)
        users = sum(home is not None for home in state.homes.values())
        axes.set_title(
            text(
                f"Running now: gateways {len(state.gateways)}, users online {users}",
                f"正在运行：网关 {len(state.gateways)} 个，在线用户 {users} 个",
            )
        )
    return made.picture


def _kernel(axes: Any, pid: int) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (0.2, -0.25),
            9.6,
            3.0,
            boxstyle="round,pad=0.1",
            fc="#F3F6FA",
            ec=GREY,
            ls="--",
            zorder=-1,
        )
    )
    axes.text(
        0.25,
        -0.2,
        label(f"this kernel, process {pid}", f"本内核，进程 {pid}"),
        va="bottom",
        fontsize=11,
        color="#333333",
    )


def _box(axes: Any, x: float, y: float, name: str, role: tuple[str, str], colour: str) -> None:
    axes.text(
        x,
        y,
        f"{name}\n{label(*role)}",
        ha="center",
        va="center",
        fontsize=12,
        bbox={"boxstyle": "round,pad=0.45", "fc": "white", "ec": colour, "lw": 2.5},
    )


def chat(seen: Chat) -> Picture:
    """Draw when messages arrived, and when the cell slept."""
    with canvas(
        "Messages over time, one dot each; the time the cell slept is shaded, dots go on in it.",
        "消息随时间到达，每条一个点；阴影是单元格睡着的时间，里面的点照样不断。",
        height_in=3.8,
    ) as made:
        axes = made.figure.add_subplot()
        axes.axvspan(seen.since_s, seen.until_s, color="#DDDDDD", zorder=0)
        axes.text(
            (seen.since_s + seen.until_s) / 2,
            len(seen.arrived_s) * 0.05,
            label("the cell sleeps", "单元格睡着"),
            ha="center",
        )
        axes.plot(seen.arrived_s, range(1, len(seen.arrived_s) + 1), "o", color=BLUE, markersize=5)
        axes.set_xlabel(label("time (s)", "时间（秒）"))
        axes.set_ylabel(label("arrived", "已到达"))
        axes.set_title(
            text(
                f"While the cell slept, {seen.meanwhile} messages arrived",
                f"单元格睡着时，到了 {seen.meanwhile} 条消息",
            )
        )
    return made.picture
