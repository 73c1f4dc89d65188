"""`mbrl bench planners`: tree search finds ways between obstacles, with motions known and learned."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from mbrl_ros.bench.planners_drives import Driven, configured, drive, learned
from mbrl_ros.dynamics.analytic import AnalyticModel
from mbrl_ros.robots.obstacles import on_map
from mbrl_ros.robots.spec import load_robot

MAPS = 8  # a seed: with five of them, forty
SECONDS = 20.0  # to arrive in
TREE = {"samples": 256, "horizon": 40, "knot_steps": 4, "batch": 64}
STRENGTHS = 10, 40, 160
SOME = 4  # maps a seed for plans by what was learned
HARD = 3  # maps a seed on which strength is measured
PRACTICE = 100.0  # s of random motion
LEARNED = (
    f"learner.first_seconds={PRACTICE - 0.5:g}",
    "learner.first_steps=2000",
    "learner.ensemble.members=2",
    "planner.mode=explore",
)


def rover_known(seed: int) -> dict[str, float]:
    """Share of random maps on which the rover arrives without touching anything, by the law that moves it."""
    return {
        "rover, known motions, mcts: share solved": _solved(seed, "mcts", TREE),
        "rover, known motions, mppi as shipped: share solved": _solved(seed, "mppi", {}),
    }


def rover_learned(seed: int) -> dict[str, float]:
    """The same by motions that were learned in random motion on another map."""
    model = motions(seed)
    samples = {"samples": TREE["samples"] * model.members}  # shared among the members
    return {
        "rover, learned motions, mcts: share solved": _solved(seed, "mcts", TREE | samples, model, SOME),
        "rover, learned motions, mppi as shipped: share solved": _solved(seed, "mppi", {}, model, SOME),
    }


def rover_strength(seed: int) -> dict[str, float]:
    """Share solved by the number of simulations, of maps that MPPI as it is shipped does not solve."""
    hard = stuck(seed)
    shares = {n: _share("mcts", TREE | {"samples": n}, hard) for n in STRENGTHS}
    found = {f"rover, {n} simulations, hard maps: share solved": share for n, share in shares.items()}
    least, most = STRENGTHS[0], STRENGTHS[-1]
    return {**found, f"strength, {most} simulations beyond {least}: share solved": shares[most] - shares[least]}


def stuck(seed: int) -> list[int]:
    """The first HARD maps from number 1000 (seed + 1) on where MPPI does not arrive."""
    model, found, number = AnalyticModel(load_robot("rover")), [], 1000 * (seed + 1)
    while len(found) < HARD:
        if not arrived(one("mppi", {}, number, model)):
            found.append(number)
        number += 1
    return found


def motions(seed: int):
    """Learned where no way has to be found: the map that the rover's file names."""
    return learned("rover_mpc", PRACTICE, seed, LEARNED)


def _solved(seed: int, planner: str, settings: dict, model=None, maps: int | None = None) -> float:
    count = maps or MAPS
    return _share(planner, settings, range(seed * MAPS, seed * MAPS + count), model)


def _share(planner: str, settings: dict, numbers: Sequence[int], model=None) -> float:
    model = model or AnalyticModel(load_robot("rover"))
    return sum(arrived(one(planner, settings, number, model)) for number in numbers) / len(numbers)


def one(planner: str, settings: dict, number: int, model) -> Driven:
    """On the map of that number, to the goal, a collision or the end of the time."""
    run = configured("rover_mpc", planner, **settings)
    return drive(run, model, SECONDS, number, spec=on_map(load_robot("rover"), number), until=at_goal)


def at_goal(task, state: Tensor) -> bool:
    return bool(task.at_goal(state))


def arrived(driven: Driven) -> bool:
    return not driven.fell and bool(driven.task.at_goal(driven.reached[-1]))
