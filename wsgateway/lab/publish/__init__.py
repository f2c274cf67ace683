"""What does PUBLISH know? Fan-out, silent lines, batches: the experiments of lesson 4."""

from wsgateway.lab.publish import checks, plots
from wsgateway.lab.publish.fan_out import fan_out
from wsgateway.lab.publish.gap import Gap, gap
from wsgateway.lab.publish.line import Line
from wsgateway.lab.publish.load import WITH, WITHOUT, under_load

__all__ = ["WITH", "WITHOUT", "Gap", "Line", "checks", "fan_out", "gap", "plots", "under_load"]
