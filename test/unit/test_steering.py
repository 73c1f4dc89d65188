"""Who keeps a car on its road without a model, and up to which speed."""

import numpy as np
import pytest
import torch

from mbrl_ros.backends import new_backend
from mbrl_ros.policies.steering import GAINS, Pid, PurePursuit, distance_of, point_at
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.tasks.car import HALF_STRAIGHT, HALF_WIDTH, RADIUS, Task

SPEC = load_robot("car")
LAYOUT = FeatureLayout(SPEC)
LAP = 4 * HALF_STRAIGHT + 2 * np.pi * RADIUS


def lap(steer, speed, noise=True):
    """Distances from the middle of the road (T,), and speeds along it, over one lap and a half at this speed."""
    car, task = new_backend(SPEC, 5, noise), Task(LAYOUT)
    beside = []
    for _ in range(round(1.5 * LAP / speed / SPEC.dt)):
        car.step(steer(LAYOUT.encode(car.measure())))
        beside.append([float(part) for part in task.beside(torch.from_numpy(LAYOUT.encode(car.truth())))[:2]])
    errors, along = np.array(beside).T
    return np.abs(errors), along


def test_the_pid_keeps_the_road_at_half_the_speed():
    errors, along = lap(Pid(LAYOUT, 1.5), 1.5)
    assert errors.max() < HALF_WIDTH
    assert along[20:].mean() > 1.4


def test_the_pid_leaves_the_road_at_full_speed_though_its_gains_are_the_best_for_that():
    errors, _ = lap(Pid(LAYOUT, 3.0, *GAINS[3.0]), 3.0)
    usual, _ = lap(Pid(LAYOUT, 3.0), 3.0)
    assert HALF_WIDTH < errors.max() < usual.max()


@pytest.mark.parametrize("speed", [1.5, 3.0])
def test_pure_pursuit_sees_the_curve_before_it_is_there_and_stays(speed):
    errors, along = lap(PurePursuit(LAYOUT, speed), speed)
    assert errors.max() < HALF_WIDTH / 2
    assert along[20:].mean() > 0.95 * speed


@pytest.mark.parametrize("steer", [Pid(LAYOUT, 9.0), PurePursuit(LAYOUT, 9.0)], ids=["pid", "pursuit"])
def test_targets_are_within_limits(steer):
    low, high = SPEC.target_limits
    state = np.zeros(LAYOUT.size, np.float32)
    state[[0, 1, 2]] = 0.0, -3.0, 1.0
    target = steer(state)
    assert (target >= low).all() and (target <= high).all()


def test_points_of_the_middle_line_are_on_it_one_after_another():
    task, state = Task(LAYOUT), torch.zeros(LAYOUT.size)
    for distance in np.linspace(0.0, LAP, 60, endpoint=False):
        place, next_to_it = point_at(distance), point_at(distance + 0.01)
        state[:2] = torch.tensor(place)
        ahead = (next_to_it - place) / 0.01
        state[2:4], state[4] = torch.tensor(ahead), 1.0
        error, along, aligned = task.beside(state)
        assert float(error) == pytest.approx(0.0, abs=1e-5)
        assert float(along) == pytest.approx(1.0, abs=0.02) and float(aligned) == pytest.approx(1.0, abs=0.02)
        assert (distance_of(place) - distance + LAP / 2) % LAP == pytest.approx(LAP / 2, abs=1e-6)
