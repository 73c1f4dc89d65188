"""`mbrl bench planners`: tree search finds ways between obstacles, with motions known and learned."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from mbrl_ros.bench.planners_drives import Driven, configured, drive, learned
from mbrl_ros.dynamics.analytic import AnalyticModel
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.obstacles import on_map
from mbrl_ros.robots.spec import load_robot

MAPS = 8  # a seed: with five of them, forty
SECONDS = 20.0  # to arrive in
TREE = {"samples": 256, "horizon": 40, "knot_steps": 4, "batch": 64}
NEAR = 0.05  # m that who knows the motions keeps from everything; plans by what was learned, as the robot file says
SHOTS = {"samples": 1000, "horizon": 40, "knot_steps": 4}  # as far ahead, without a tree
PLAIN = TREE | {"simulation": "random", "follow": 0.0}  # a tree and chance: the rest solves most maps within one look
STRENGTHS = 10, 20, 40, 160, 640
SOME = 6  # maps a seed on which strength is measured, others than those above
PRACTICE = 100.0  # s of random motion
AHEAD = 5, 20, 40  # steps after which a model's word is compared with the law's
WAYS = 300  # of random motions
LEARNED = (
    f"learner.first_seconds={PRACTICE - 0.5:g}",
    "learner.first_steps=6000",
    "learner.ensemble.members=2",
    "planner.mode=explore",
)


def rover_known(seed: int) -> dict[str, float]:
    """Share of random maps on which the rover arrives without touching anything, by the law that moves it."""
    return {
        "rover, known motions, mcts: share solved": _solved(seed, "mcts", TREE),
        "rover, known motions, shooting as far ahead: share solved": _solved(seed, "shooting", SHOTS),
        "rover, known motions, mppi as shipped: share solved": _solved(seed, "mppi", {}),
    }


def rover_learned(seed: int) -> dict[str, float]:
    """The same by motions that were learned in random motion on another map."""
    model = motions(seed)
    tree, shots = ({**one, "samples": one["samples"] * model.members} for one in (TREE, SHOTS))  # shared among them
    return {
        "rover, learned motions, mcts: share solved": _solved(seed, "mcts", tree, model),
        "rover, learned motions, shooting as far ahead: share solved": _solved(seed, "shooting", shots, model),
        "rover, learned motions, mppi as shipped: share solved": _solved(seed, "mppi", {}, model),
        **off(model, seed),
    }


def off(model, seed: int) -> dict[str, float]:
    """Median of how far apart a member and the law say that random motions lead, from nothing but the first state."""
    generator, spec = torch.Generator().manual_seed(seed), load_robot("rover")
    layout, angle = FeatureLayout(spec), 2 * torch.pi * torch.rand(WAYS, generator=generator)
    state = torch.zeros(WAYS, layout.size)
    state[:, layout.heading] = torch.stack([angle.cos(), angle.sin()], -1)
    told = torch.randint(len(spec.primitives), (WAYS, max(AHEAD), 1), generator=generator).float()
    true, said = (
        m.rollout(state.expand(m.members, -1, -1), told.expand(m.members, -1, -1, -1))
        for m in (AnalyticModel(spec), model)
    )
    away = (said - true)[..., layout.position].norm(dim=-1)
    return {f"rover, learned motions, {n} steps ahead: m off": float(away[:, :, n - 1].median()) for n in AHEAD}


def rover_strength(seed: int) -> dict[str, float]:
    """How well the tree alone plays by its number of simulations, which go on by chance; by the law that moves it."""
    first, found, shares = 1000 * (seed + 1), {}, {}
    for n in STRENGTHS:
        drives = [one("mcts", PLAIN | {"samples": n}, number) for number in range(first, first + SOME)]
        shares[n] = sum(map(arrived, drives)) / SOME
        found[f"rover, {n} simulations: share solved"] = shares[n]
        found[f"rover, {n} simulations: s to the goal, {SECONDS:g} where not solved"] = sum(map(_took, drives)) / SOME
    least, most = STRENGTHS[0], STRENGTHS[-1]
    return {**found, f"strength, {most} simulations beyond {least}: share solved": shares[most] - shares[least]}


def motions(seed: int):
    """Learned where no way has to be found: the map that the rover's file names."""
    return learned("rover_mpc", PRACTICE, seed, LEARNED)


def _solved(seed: int, planner: str, settings: dict, model=None) -> float:
    return _share(planner, settings, range(seed * MAPS, (seed + 1) * MAPS), model)


def _share(planner: str, settings: dict, numbers: range, model=None) -> float:
    return sum(arrived(one(planner, settings, number, model)) for number in numbers) / len(numbers)


def one(planner: str, settings: dict, number: int, model=None) -> Driven:
    """On the map of that number, to the goal, a collision or the end of the time; without a model by the law."""
    run, spec = configured("rover_mpc", planner, **settings), on_map(load_robot("rover"), number)
    if model is None:
        spec = replace(spec, constants={**spec.constants, "margin": NEAR})
        model = AnalyticModel(spec)
    return drive(run, model, SECONDS, number, spec=spec, until=at_goal)


def at_goal(task, state: Tensor) -> bool:
    return bool(task.at_goal(state))


def arrived(driven: Driven) -> bool:
    return not driven.fell and bool(driven.task.at_goal(driven.reached[-1]))


def _took(driven: Driven) -> float:
    return len(driven.reached) * load_robot("rover").dt if arrived(driven) else SECONDS
