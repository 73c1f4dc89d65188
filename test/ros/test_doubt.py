"""A planner in doubt about its plans: it says so, marks what it records, and stands until the doubt is over."""

import numpy as np
import pytest
from planner_alone import PlannerAlone

from mbrl_ros.nodes.messages.status import WARN
from mbrl_ros.types import Flag

SECOND = 50  # steps


@pytest.fixture
def planner(tmp_path, domain):
    planner = PlannerAlone(tmp_path)
    yield planner
    planner.close()


def on_its_back(joints, imu, odom):
    """As the shipped model has never seen a robot."""
    for orientation in (imu.orientation, odom.pose.pose.orientation):
        orientation.x, orientation.w = 1.0, 0.0


def stands(planner, plan):
    return np.array_equal(plan.targets, np.tile(planner.spec.stance, (len(plan.targets), 1)))


def warned(planner):
    """What the planner warns of from now on."""
    planner.graph.said_anew("planner")
    return [s for array in planner.graph._diagnostics for s in array.status if s.level == WARN]


def test_robot_on_its_back_is_doubted_until_it_stands_and_is_trusted_again_once_it_is_upright(planner):
    upright = planner.steps(SECOND)
    assert not any(stands(planner, plan) for plan in upright)
    said = planner.graph.said_anew("planner")
    assert float(said["doubt"]) < 0.05 and float(said["speed_share"]) == 1.0
    assert not any(t.flags & Flag.UNSURE for t in planner.graph.transitions)

    down = [planner.step(on_its_back) for _ in range(2 * SECOND)]
    first = [stands(planner, plan) for plan in down].index(True)
    assert 0 < first < 1.5 * SECOND and all(stands(planner, plan) for plan in down[first:])
    assert "standing: the model is in doubt" in warned(planner)[-1].message
    said = planner.graph.said_anew("planner")
    assert float(said["doubt"]) > 0.95 and float(said["speed_share"]) == 0.0 and said["rung"] == "doubt"
    planner.probe.until(lambda: planner.graph.transitions[-1].flags & Flag.UNSURE, "a marked transition")

    up = planner.steps(3 * SECOND)
    assert not stands(planner, up[-1])
    again = [stands(planner, plan) for plan in up].index(False)
    assert again > SECOND, "not before the doubt has been over for a while"
    assert float(planner.graph.said_anew("planner")["doubt"]) < 0.5
