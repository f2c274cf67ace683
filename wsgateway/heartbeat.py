"""When is a silent client dead? Arithmetic on seconds, no clock of its own. Pure."""


def is_silent(last_seen_s: float, now_s: float, timeout_s: float) -> bool:
    """Whether a client last heard at `last_seen_s` has passed the heartbeat timeout."""
    return now_s - last_seen_s > timeout_s


def refresh_due(last_refresh_s: float, now_s: float, ping_s: float) -> bool:
    """Whether presence wants refreshing although the client sent no ping (it sent other frames)."""
    return now_s - last_refresh_s >= ping_s


def sweep_is_late(due_s: float, now_s: float, ping_s: float) -> bool:
    """Whether this gateway itself slept through a ping interval (paused, swapped, overloaded).

    A late sweep must not judge: the pings its clients sent are still unread in socket buffers.
    Memberlist calls the same idea local health awareness ("Lifeguard", Dadgar et al., 2018).
    """
    return now_s - due_s > ping_s


def detection_bounds_s(ping_s: float, timeout_s: float, sweep_s: float) -> tuple[float, float]:
    """Return the soonest and the latest detection after a client dies, seconds.

    Soonest: it dies just before its next ping, and a sweep comes the moment the timeout passes.
    Latest: it dies just after a ping, and the sweep has only just gone by. 30/90/60 give 60-150 s.
    """
    return timeout_s - ping_s, timeout_s + sweep_s
