"""Distillation: a policy learns to decide as a planner would, on the states that it comes to itself (DAgger).

In a round the policy drives robots in the model, the planner says at every step what it would have done there, and the
policy is trained on all that was said so far. The one whose robots earned most is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.learning.imagined import Imagined
from mbrl_ros.learning.learner import copied
from mbrl_ros.learning.teacher import Teacher
from mbrl_ros.policies.network import Policy
from mbrl_ros.settings import DistillConfig

JUDGES_SEED = 1_000_003
PATIENCE = 3  # rounds without a better policy, after which there will be none


@dataclass(frozen=True)
class Round:
    """What came of one."""

    decisions: int  # that the teacher has made in all
    imitation: float  # distance to the teacher on robots that the policy was not trained on, weighed as in training
    loss: float  # the same on what it was trained on
    reward: float  # mean a step, in the model
    best: bool  # of all rounds so far


class Distiller:
    """Give it rounds until `done`; `best` is the policy then."""

    def __init__(self, policy: Policy, world: Imagined, teacher: Teacher, config: DistillConfig, seed: int):
        self.best, self._policy = policy, copied(policy)
        for parameter in self._policy.parameters:
            parameter.requires_grad_(True)
        self._world, self._teacher, self._config = world, teacher, config
        self._seen: list[Tensor] = []
        self._priors: list[Tensor] = []
        self._wanted: list[Tensor] = []
        self._generator = torch.Generator().manual_seed(seed)
        self._weights: Tensor | None = None  # (U,) what an error in each decision costs
        self.rounds: list[Round] = []

    @property
    def done(self) -> bool:
        since = next((i for i, r in enumerate(reversed(self.rounds)) if r.best), len(self.rounds))
        return len(self.rounds) >= self._config.rounds or since >= PATIENCE

    def round(self) -> Iterator[float]:
        """One round, a share of it at a time, so that the caller can look after other things in between."""
        first = len(self._seen)
        for step in self._listen():
            yield 0.6 * step
        imitation = self._off(first)
        yield from (0.6 + 0.3 * share for share in self._train())
        reward = self._earned()
        best = all(reward > r.reward for r in self.rounds)
        if best:
            self.best = copied(self._policy)
        self.rounds.append(Round(sum(map(len, self._seen)), imitation, self._off(0), reward, best))
        yield 1.0

    def range_seen(self) -> dict[str, tuple[float, ...]]:
        """Lowest and highest of each input in all that was said."""
        seen = torch.cat(self._seen)
        return {"lowest": tuple(seen.min(0).values.tolist()), "highest": tuple(seen.max(0).values.tolist())}

    def example(self) -> tuple[Tensor, Tensor]:
        """Something that was seen, and its prior."""
        return self._seen[-1][-1], self._priors[-1][-1]

    def _listen(self) -> Iterator[float]:
        """The policy drives, the teacher says what it would have done."""
        config, world = self._config, self._world
        robots = world.robots(config.robots)
        self._teacher.begin(robots.priors)
        if self._weights is None:
            self._weights = self._teacher.sensitivity(robots)
        for step in range(config.steps):
            with torch.no_grad():
                seen = world.seen(robots)
                wanted = self._teacher.decisions(robots)
                self._seen.append(seen)
                self._priors.append(robots.priors)
                self._wanted.append(wanted)
                robots = world.step(robots, self._policy.decide(seen, robots.priors))
            yield (step + 1) / config.steps

    def _train(self) -> Iterator[float]:
        config = self._config
        optimiser = torch.optim.AdamW(self._policy.parameters, lr=config.rate)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.updates)
        everything = [torch.cat(part) for part in (self._seen, self._priors, self._wanted)]
        for update in range(config.updates):
            picked = torch.randint(len(everything[0]), (config.batch,), generator=self._generator)
            optimiser.zero_grad(set_to_none=True)
            self._loss(*(part[picked] for part in everything)).backward()
            optimiser.step()
            falling.step()
            yield (update + 1) / config.updates

    def _loss(self, seen: Tensor, priors: Tensor, wanted: Tensor) -> Tensor:
        return ((self._policy.wish(seen, priors) - wanted).square() * self._weights).sum(1).mean()

    @torch.no_grad()
    def _off(self, first: int) -> float:
        """Distance to what was said from entry `first` on."""
        return float(self._loss(*(torch.cat(part[first:]) for part in (self._seen, self._priors, self._wanted))))

    @torch.no_grad()
    def _earned(self) -> float:
        """Mean reward a step of robots that the policy drives in the model: the same ones in every round."""
        world, config = self._world.again(JUDGES_SEED), self._config
        robots, earned = world.robots(config.judges), []
        for _ in range(config.steps):
            robots = world.step(robots, self._policy.decide(world.seen(robots), robots.priors))
            earned.append(world.reward(robots).mean())
        return float(torch.stack(earned).mean())
