"""What held-out data has against a candidate: its error, or how sure it is of what turns out wrong."""

from __future__ import annotations

import math

from mbrl_ros.dynamics.evaluation import HeldOut
from mbrl_ros.settings import LearnerConfig


def objection(candidate: HeldOut, incumbent: HeldOut | None, config: LearnerConfig) -> str:
    """Empty: it may be promoted."""
    if not math.isfinite(candidate.error):
        return "its held-out error is not finite"
    if incumbent is None or not math.isfinite(incumbent.error):
        return ""
    if not candidate.error <= config.tolerance * incumbent.error:
        return f"held-out error {candidate.error:.3f}, the incumbent's is {incumbent.error:.3f}"
    usual = max(1.0, incumbent.deviations) if math.isfinite(incumbent.deviations) else math.inf
    ratio = config.calibration_tolerance
    # Where a robot has changed, what has learned it is surer than what is at a loss, and better all the same.
    if not candidate.deviations <= ratio * usual and not ratio * candidate.error <= incumbent.error:
        return (
            f"calibration: held-out errors are {candidate.deviations:.2f} times what its members say, "
            f"the incumbent's {incumbent.deviations:.2f} times"
        )
    return ""
