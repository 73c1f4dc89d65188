"""Problems whose dynamics are two lines, to see what planners make of them: nothing here is learned."""

from dataclasses import replace

import torch

from mbrl_ros.known import the
from mbrl_ros.planners.problem import Problem
from mbrl_ros.settings import PlannerConfig

DT = 0.1


class Carts:
    """`size` carts that a force of at most 1 accelerates; each is to be at its goal, and forces cost a little."""

    def __init__(self, horizon=20, size=2, candidates=200, start=None, goal=0.6):
        self.horizon, self.size, self.candidates = horizon, size, candidates
        self.state = torch.zeros(2, size) if start is None else start  # position, velocity
        self.goal, self.scored, self.climbed = goal, 0, 0

    def returns(self, forces):
        """(N, H, U) -> (N,)"""
        velocity = self.state[1] + DT * forces.cumsum(1)
        position = self.state[0] + DT * velocity.cumsum(1)
        return -((position - self.goal).square() + 0.02 * velocity.square() + 0.01 * forces.square()).sum((1, 2))

    def advance(self, force, noise=0.0):
        """One step of the real carts; what it earned."""
        earned = float(self.returns(force[None, None])[0])
        velocity = self.state[1] + DT * force + noise
        self.state = torch.stack([self.state[0] + DT * velocity, velocity])
        return earned

    def score(self, forces):
        self.scored += len(forces)
        return self.returns(forces)

    def gradient(self, forces):
        self.climbed += len(forces)
        forces = forces.clone().requires_grad_()
        values = self.returns(forces)
        return values.detach(), torch.autograd.grad(values.sum(), forces)[0]

    @property
    def problem(self):
        bounds = torch.tensor([[-1.0] * self.size, [1.0] * self.size])
        return Problem(
            self.score, bounds, torch.full((self.size,), 0.5), torch.zeros(self.horizon, self.size), self.candidates,
            value=self.score, gradient=self.gradient,
        )  # fmt: skip


def planned(name, problem, seed=0, warm=None, **settings):
    """One plan, from the prior if not told otherwise."""
    config = replace(PlannerConfig(planner=name).search, horizon=len(problem.prior), **settings)
    warm = problem.prior.clone() if warm is None else warm
    return the("planner", name).plan(config, problem, warm, torch.Generator().manual_seed(seed))


def table():
    """How good one plan from nothing is, for each planner at 200 rollouts: the table in docs/methods.md."""
    rows = {
        "shooting, hard": ("shooting", 200, {"knot_steps": 3}),
        "shooting, soft": ("shooting", 200, {"knot_steps": 3, "choice": "soft"}),
        "shooting, hard, 4 x 50": ("shooting", 50, {"knot_steps": 3, "iterations": 4}),
        "mppi": ("mppi", 200, {"knot_steps": 3}),
        "mppi, 4 x 50": ("mppi", 50, {"knot_steps": 3, "iterations": 4}),
        "cem, 4 x 50": ("cem", 50, {"knot_steps": 3, "iterations": 4}),
        "icem, 4 x 50": ("icem", 50, {"iterations": 4}),
        "gradient, 1 start": ("gradient", 1, {"knot_steps": 3, "restarts": 1}),
    }
    print("| planner | rollouts | gradients | worth of the plan, mean and range |\n|---|---|---|---|")
    for title, (name, candidates, settings) in rows.items():
        worth = []
        for seed in range(12):
            carts = Carts(size=4, candidates=candidates)
            worth.append(float(carts.returns(planned(name, carts.problem, seed, **settings).actions[None])))
        mean = sum(worth) / len(worth)
        print(f"| {title} | {carts.scored} | {carts.climbed} | {mean:.1f} ({min(worth):.1f} .. {max(worth):.1f}) |")


if __name__ == "__main__":
    table()
