"""Distillation: a policy learns to decide as a planner would, on the states that it comes to itself (DAgger).

In a round the policy drives robots in the model, the planner says at every step what it would have done there, and the
policy is trained on all that was said so far. The one whose robots earned most is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mbrl_ros.distilling.imagined import Imagined
from mbrl_ros.distilling.teacher import Teacher
from mbrl_ros.distilling.valuing import Valuer
from mbrl_ros.learning.learner import copied
from mbrl_ros.policies.artefact import to_bytes
from mbrl_ros.policies.card import PolicyCard
from mbrl_ros.policies.network import Policy, Value
from mbrl_ros.settings import DistillConfig

JUDGES_SEED = 1_000_003
PATIENCE = 5  # rounds without a better policy, after which there will be none


@dataclass(frozen=True)
class Round:
    """What came of one."""

    decisions: int  # that the teacher has made in all
    imitation: float  # distance to the teacher on robots that the policy was not trained on, weighed as in training
    loss: float  # the same on what it was trained on
    reward: float  # mean a step, in the model
    value_off: float  # of V on rollouts that it has not learned from, of the spread of returns
    best: bool  # of all rounds so far


class Distiller:
    """Give it rounds until `done`; `best` is the policy then."""

    def __init__(
        self, policy: Policy, world: Imagined, teacher: Teacher, valuer: Valuer, config: DistillConfig, seed: int
    ):
        self.best, self._policy = policy, copied(policy)
        self.best_value: Value | None = valuer.value and copied(valuer.value)  # of `best`
        self._before = config.guided_from if valuer.value else 0  # rounds that were played elsewhere
        for parameter in self._policy.parameters:
            parameter.requires_grad_(True)
        self._world, self._teacher, self._valuer, self._config = world, teacher, valuer, config
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

    def begin_also_in(self, states: Tensor) -> None:
        """(N, S) where the real robot has come under the policy."""
        self._world.begin_also_in(states)

    def round(self) -> Iterator[float]:
        """One round, a share of it at a time, so that the caller can look after other things in between."""
        first = len(self._seen)
        for step in self._listen():
            yield 0.6 * step
        imitation = self._off(first)
        yield from (0.6 + 0.2 * share for share in self._train())
        yield from (0.8 + 0.2 * share for share in self._valuer.learn(self._policy))
        reward = self.earned(self._policy)
        best = all(reward > r.reward for r in self.rounds)
        if best:
            self.best, self.best_value = copied(self._policy), copied(self._valuer.value)
        said = sum(map(len, self._seen))
        self.rounds.append(Round(said, imitation, self._off(0), reward, self._valuer.off, best))
        yield 1.0

    def take_over(self, earlier: Distiller, most: int) -> None:
        """Goes on from an earlier one, in a world of its own: with its networks and the newest steps, at most so many,
        of what was said there."""
        self._policy, self._weights = earlier._policy, earlier._weights
        self.best, self.best_value = earlier.best, earlier.best_value
        self._before = earlier._before + len(earlier.rounds)
        self._valuer.value = earlier._valuer.value
        self._seen, self._priors, self._wanted = (
            part[-most:] for part in (earlier._seen, earlier._priors, earlier._wanted)
        )

    def artefact(self, card: PolicyCard) -> bytes:
        """The best policy so far as a file; what is not in the card yet is told here."""
        seen = torch.cat(self._seen)
        lowest, highest = (tuple(edge.values.tolist()) for edge in (seen.min(0), seen.max(0)))
        card = replace(card, lowest=lowest, highest=highest)
        return to_bytes(self.best, self.best_value, card, (self._seen[-1][-1], self._priors[-1][-1]))

    def _listen(self) -> Iterator[float]:
        """The policy drives, the teacher says what it would have done."""
        config, world = self._config, self._world
        robots = world.robots(config.robots)
        if config.guided_from and self._before + len(self.rounds) + 1 >= config.guided_from:
            self._teacher.listen_to(self.best, self.best_value, config.value.discount, config.guided_horizon)
        self._teacher.begin(robots.priors)
        if self._weights is None:
            self._weights = self._teacher.sensitivity(robots)
        for step in range(config.steps):
            seen, wanted = world.seen(robots), []
            for decision in self._teacher.decisions(robots):
                wanted.append(decision)
                yield (step + len(wanted) / config.robots) / config.steps
            self._seen.append(seen)
            self._priors.append(robots.priors)
            self._wanted.append(torch.stack(wanted))
            with torch.no_grad():
                robots = world.step(robots, self._policy.decide(seen, robots.priors))

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
    def earned(self, policy: Policy) -> float:
        """Mean reward a step of robots that `policy` drives in the model: the same ones for each and in every round."""
        world, config = self._world.again(JUDGES_SEED), self._config
        robots, earned = world.robots(config.judges), []
        for _ in range(config.steps):
            robots = world.step(robots, policy.decide(world.seen(robots), robots.priors))
            earned.append(world.reward(robots).mean())
        return float(torch.stack(earned).mean())
