"""The rover's maps: each has a way through, found here by trying all motions; and what a collision is."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mbrl_ros.backends import new_backend
from mbrl_ros.config import ConfigError
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.laws import primitives
from mbrl_ros.robots.obstacles import GOAL, LOW, map_of, on_map, random_map
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.tasks.rover import Task

ROVER = load_robot("rover")
LAYOUT = FeatureLayout(ROVER)
TURNS = 8  # headings there are: every motion turns by an eighth or not at all


def steps_to_the_goal(spec, most=80):
    """Breadth first over all motions, many places at once; None where nothing leads there."""
    task, seen = Task(FeatureLayout(spec)), set()
    frontier, count = np.zeros((1, 8)), len(spec.primitives)
    for depth in range(most):
        state = torch.zeros(len(frontier), LAYOUT.size)
        state[:, LAYOUT.position] = torch.tensor(frontier[:, :2], dtype=torch.float32)
        if task.at_goal(state).any():
            return depth
        frontier = frontier[~task.terminated(state).numpy()]
        after = primitives.after(
            np, spec, np.repeat(frontier, count, 0), np.tile(np.arange(count), len(frontier))[:, None], spec.dt
        )
        cells = np.round(np.c_[after[:, :2] / 0.1, after[:, 2] / (2 * np.pi / TURNS)]).astype(int)
        cells[:, 2] %= TURNS
        new = [i for i, cell in enumerate(map(tuple, cells)) if not (cell in seen or seen.add(cell))]
        frontier = after[new]
        if not len(frontier):
            return None
    return None


@pytest.mark.parametrize("number", range(6))
def test_a_rover_can_solve_its_map(number):
    found = steps_to_the_goal(on_map(ROVER, number))
    assert found is not None and found >= np.hypot(*GOAL) / (1.0 * ROVER.dt) - 3


def test_a_map_is_its_number():
    assert map_of(on_map(ROVER, 4)) is random_map(4)
    assert map_of(ROVER) is random_map(0)
    assert np.abs(random_map(4).centres - random_map(5).centres).max() > 0.1
    assert on_map(ROVER, 4).layout_hash == ROVER.layout_hash, "a model of the rover is one for every map"


def test_clearance_is_to_the_nearest_obstacle_or_wall_and_the_same_in_torch():
    drawn = random_map(1)
    places = np.random.default_rng(0).uniform(-1.0, 6.0, (200, 2))
    away = np.linalg.norm(places[:, None] - drawn.centres, axis=-1) - drawn.radii
    walls = np.concatenate([places + 0.8, 5.8 - places], 1)
    np.testing.assert_allclose(drawn.clearance(np, places), np.minimum(away.min(1), walls.min(1)), atol=1e-6)
    np.testing.assert_allclose(drawn.clearance(torch, torch.tensor(places)), drawn.clearance(np, places))


def test_a_rover_that_drives_into_something_stays_there_and_begins_anew_at_the_start():
    rover, task = new_backend(ROVER, 0, noise=False), Task(LAYOUT)
    for _ in range(4):
        rover.step(np.array([1.0]))  # half round, to the wall behind the start
    for _ in range(10):
        rover.step(np.array([3.0]))
    assert rover.fallen()
    stuck = rover.truth()
    assert task.terminated(torch.from_numpy(LAYOUT.encode(stuck)))
    np.testing.assert_array_equal(rover.step(np.array([0.0])).base.position, stuck.base.position)
    rover.reset()
    assert not rover.fallen() and not rover.truth().base.position.any()


def test_the_task_ends_before_the_rover_touches_anything():
    """Steps are judged at their ends: what is free there must be free in between."""
    task, radius, worst = Task(LAYOUT), ROVER.constant("radius"), np.inf
    generator = np.random.default_rng(0)
    for _ in range(400):
        motion = np.zeros(8)
        motion[:3] = *generator.uniform(-0.5, 5.5, 2), generator.uniform(-np.pi, np.pi)
        ends, between = [], []
        target = np.array([float(generator.integers(1, 6))])
        for k in range(26):
            place = motion[:2].copy()
            (ends if k in (0, 25) else between).append(place)
            motion = primitives.after(np, ROVER, motion, target, 0.01)
        state = torch.zeros(2, LAYOUT.size)
        state[:, LAYOUT.position] = torch.tensor(np.array(ends), dtype=torch.float32)
        if not task.terminated(state).any():
            worst = min(worst, random_map(0).clearance(np, np.array(between)).min())
    assert radius < worst < 0.5


def test_a_margin_below_zero_is_refused():
    with pytest.raises(ConfigError, match="constants.margin -0.1 m: expected 0 or more"):
        Task(FeatureLayout(replace(ROVER, constants={**ROVER.constants, "margin": -0.1})))


def test_a_task_keeps_the_margin_that_the_robot_file_says():
    near = torch.zeros(LAYOUT.size)
    near[0] = LOW + ROVER.constant("radius") + 0.08  # beside a wall
    tasks = [Task(FeatureLayout(replace(ROVER, constants={**ROVER.constants, "margin": m}))) for m in (0.05, 0.1)]
    assert [bool(task.terminated(near)) for task in tasks] == [False, True]
