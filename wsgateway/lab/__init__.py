"""What the notebooks stand on. The runtime never imports it.

from wsgateway import lab
lab.language("zh")
"""

from wsgateway.lab import (
    afternoon,
    capacity,
    checks,
    cost_plots,
    fleet,
    fleet_plots,
    kill,
    ladder,
    ladder_plots,
    log_checks,
    log_plots,
    loops,
    meter,
    plots,
    publish,
    race,
    ready,
    reckoning,
    reconnect,
    scale_checks,
    sizing,
    timing,
    topic,
)
from wsgateway.lab.bare import Bare
from wsgateway.lab.checks import TODO
from wsgateway.lab.cluster import Cluster, close
from wsgateway.lab.language import language, say
from wsgateway.lab.logbook import log
from wsgateway.lab.predict import predict
from wsgateway.lab.ready import doctor
from wsgateway.lab.user import User

__all__ = [
    "TODO",
    "Bare",
    "Cluster",
    "User",
    "afternoon",
    "capacity",
    "checks",
    "close",
    "cost_plots",
    "doctor",
    "fleet",
    "fleet_plots",
    "kill",
    "ladder",
    "ladder_plots",
    "language",
    "log",
    "log_checks",
    "log_plots",
    "loops",
    "meter",
    "plots",
    "predict",
    "publish",
    "race",
    "ready",
    "reckoning",
    "reconnect",
    "say",
    "scale_checks",
    "sizing",
    "timing",
    "topic",
]
