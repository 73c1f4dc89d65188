"""`mbrl bench planners`: tree search finds ways between obstacles, with motions known and learned."""

from __future__ import annotations

from torch import Tensor

from mbrl_ros.bench.planners_drives import Driven, configured, drive, learned
from mbrl_ros.dynamics.analytic import AnalyticModel
from mbrl_ros.robots.obstacles import on_map
from mbrl_ros.robots.spec import load_robot

MAPS = 8  # a seed: with five of them, forty
SECONDS = 20.0  # to arrive in
TREE = {"samples": 256, "horizon": 40, "knot_steps": 4, "batch": 64}
SAME_WORK = {"samples": 1000, "horizon": 40}  # of MPPI, beside what rover_mpc is shipped with
STRENGTHS = 10, 40, 160
SOME = 4  # maps a seed on which strength is measured, and plans by what was learned
PRACTICE = 100.0  # s of random motion
LEARNED = (
    f"learner.first_seconds={PRACTICE - 0.5:g}",
    "learner.first_steps=2000",
    "learner.ensemble.members=2",
    "planner.mode=explore",
)


def rover_known(seed: int) -> dict[str, float]:
    """Share of random maps on which the rover arrives without touching anything, by the law that moves it."""
    found = {"rover, known motions, mcts: share solved": _solved(seed, "mcts", TREE)}
    return found | {
        "rover, known motions, mppi as shipped: share solved": _solved(seed, "mppi", {}),
        "rover, known motions, mppi that looks as far: share solved": _solved(seed, "mppi", SAME_WORK),
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
    """Share solved by the number of simulations, and how far the last ones are beyond the first."""
    shares = {n: _solved(seed, "mcts", TREE | {"samples": n}, maps=SOME) for n in STRENGTHS}
    found = {f"rover, {n} simulations: share solved": share for n, share in shares.items()}
    least, most = STRENGTHS[0], STRENGTHS[-1]
    return {**found, f"strength, {most} simulations beyond {least}: share solved": shares[most] - shares[least]}


def motions(seed: int):
    """Learned where no way has to be found: the map that the rover's file names."""
    return learned("rover_mpc", PRACTICE, seed, LEARNED)


def _solved(seed: int, planner: str, settings: dict, model=None, maps: int = MAPS) -> float:
    spec = load_robot("rover")
    model = model or AnalyticModel(spec)
    found = [one(planner, settings, seed * MAPS + i, model) for i in range(maps)]
    return sum(arrived(driven) for driven in found) / maps


def one(planner: str, settings: dict, number: int, model) -> Driven:
    """On the map of that number, to the goal, a collision or the end of the time."""
    run = configured("rover_mpc", planner, **settings)
    return drive(run, model, SECONDS, number, spec=on_map(load_robot("rover"), number), until=at_goal)


def at_goal(task, state: Tensor) -> bool:
    return bool(task.at_goal(state))


def arrived(driven: Driven) -> bool:
    return not driven.fell and bool(driven.task.at_goal(driven.reached[-1]))
