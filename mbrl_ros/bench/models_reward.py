"""`mbrl bench models`: a reward that nobody wrote down, learned and planned on."""

from __future__ import annotations

import torch
from torch import Tensor

from mbrl_ros.bench.models_toys import pendulum, swung
from mbrl_ros.dynamics.beside.reward import learned_reward
from mbrl_ros.dynamics.fitting import FitConfig
from mbrl_ros.planners import mppi
from mbrl_ros.planners.problem import NoPlan, Problem
from mbrl_ros.settings import MppiConfig

FIT = FitConfig(steps=1500, batch=128)
NOISE = 0.05  # sigma of each reward that is told
TOO_FAST = 6.0  # rad/s, which ends everything
HORIZON, SAMPLES, STEPS, PENDULUMS = 25, 150, 80, 3
PLANNER = MppiConfig(samples=SAMPLES, horizon=HORIZON)
NOBODY = torch.zeros(0)  # a task without commands


def planned_on_it(seed: int) -> dict[str, float]:
    """True return of plans by the learned reward, over that of plans by the true one; and how well ends are known."""
    data, generator = swung(80, 50, seed), torch.Generator().manual_seed(seed)
    states = data.states[:, 1:].flatten(0, 1)
    told = upright(states) + NOISE * torch.randn(len(states), generator=generator)
    learned = learned_reward(states, states[:, :0], told, ended(states), FIT, seed)
    fresh = swung(40, 50, seed + 1000).states.flatten(0, 1)
    truth, said = ended(fresh), learned.terminated(fresh)
    both = [(said == truth)[of].float().mean() for of in (truth, ~truth)]
    by_learned, by_truth = (
        sum(_swings_up(reward, seed * PENDULUMS + i) for i in range(PENDULUMS))
        for reward in (lambda s: learned.reward(s, NOBODY), upright)
    )
    return {
        "learned reward: return of plans on it, on the true one 1": by_learned / by_truth,
        "learned termination: right, mean of both classes": float(sum(both) / 2),
    }


def upright(states: Tensor) -> Tensor:
    """(..., 3) -> (...), 1 where the pendulum stands still and upright."""
    return (1 + states[..., 0]) / 2 - 0.005 * states[..., 2].square()


def ended(states: Tensor) -> Tensor:
    return states[..., 2].abs() > TOO_FAST


@torch.no_grad()
def _swings_up(reward, seed: int) -> float:
    """True return of STEPS steps from hanging down, planned on `reward` with the true dynamics."""
    generator = torch.Generator().manual_seed(seed)
    state, warm, earned = torch.tensor([-1.0, 0.0, 0.1]), torch.zeros(HORIZON, 1), 0.0
    for _ in range(STEPS):
        now = state

        def score(decisions: Tensor, now: Tensor = now) -> Tensor:
            x, total = now.expand(len(decisions), -1), 0.0
            for k in range(HORIZON):
                x = pendulum(x, decisions[:, k], substeps=1)
                total = total + reward(x)
            return total

        bounds, prior = torch.tensor([[-1.0], [1.0]]), torch.zeros(HORIZON, 1)
        plan = mppi.plan(PLANNER, Problem(score, bounds, torch.ones(1), prior, SAMPLES), warm, generator)
        if isinstance(plan, NoPlan):
            raise RuntimeError(plan.reason)
        state = pendulum(state, plan.actions[0])
        earned += float(upright(state))
        warm = torch.cat([plan.actions[1:], plan.actions[-1:]])
    return earned
