"""`mbrl bench exploration`: ways of exploring, and of drawing what was seen, beside random motion and even chances."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice

from mbrl_ros.bench.experiments import CURVE
from mbrl_ros.bench.exploration_data import SECONDS, TASKS, curve, final, seconds_to, sessions, settings
from mbrl_ros.bench.uncertainty_doing import Remembering
from mbrl_ros.learner_settings import REPLAYS
from mbrl_ros.learning.learner import Learner
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.settings import EXPLORERS

KEEN = 0.05  # share of random motion on top of plans that explore


def explored(task: str, seed: int) -> dict[str, float]:
    """Each way collects its own data, and what learns from it is the same."""
    errors = {}
    for way in EXPLORERS:
        run = settings(task, seed).with_setting("planner.mode", "explore").with_setting("planner.explore.by", way)
        run = run.with_setting("planner.explore.while_learning", KEEN)
        spec = load_robot(run.planner.robot)
        learner = Learner(spec, run.learner)
        steps = islice(sessions(run, learner, seed), round(SECONDS / spec.dt))
        errors[way] = curve(learner, task, (None for _ in steps))
    return compared("explore", task, errors)


def replayed(task: str, seed: int) -> dict[str, float]:
    """All learn from the same data as it comes, of a robot that learns its task with the first of them."""
    run = settings(task, seed)
    spec, data, errors = load_robot(run.planner.robot), [], {}
    for way in REPLAYS:
        learner = Remembering(spec, run.with_setting("learner.train.replay", way).learner)
        if data:
            errors[way] = curve(learner, task, data)
        else:
            steps = islice(sessions(run, learner, seed), round(SECONDS / spec.dt))
            errors[way], data = curve(learner, task, (None for _ in steps)), learner.transitions
    return compared("replay", task, errors)


def compared(what: str, task: str, errors: dict[str, dict[int, float]]) -> dict[str, float]:
    """The first way is what the others are measured by: seconds to the error that it ends with, and the last error."""
    first, *others = errors
    target, found = final(errors[first]), {}
    needed = seconds_to(errors[first], target)
    for way in others:
        ratio = seconds_to(errors[way], target) / needed
        found[f"{what}: data to the same error, {first} is 1, {task}, {way}"] = ratio
        found[f"{what}, last error, {first} is 1, {task}, {way}"] = final(errors[way]) / target
    for way, along in errors.items():
        found |= {f"{CURVE}{what}, {task}, {way}, {second} s": value for second, value in along.items()}
    return found


EXPERIMENTS: dict[str, Callable[[int], dict[str, float]]] = {
    f"{name}_{task}": partial(experiment, task)
    for name, experiment in (("explore", explored), ("replay", replayed))
    for task in TASKS
}
