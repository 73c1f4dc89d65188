"""Distillation: a policy learns to decide as a planner would, on the states that it comes to itself (DAgger).

In a round the policy drives robots in the model, the planner says at every step what it would have done there, and the
policy is trained on all that was said so far. The one whose robots earned most is kept.

It ends when some rounds in a row bring nothing: the policy neither earned more than ever before, nor came nearer to its
teacher on fresh robots than ever since the teacher took to listening to it, which makes it another teacher.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from mbrl_ros.distilling.imagined import Imagined
from mbrl_ros.distilling.teacher import Teacher
from mbrl_ros.distilling.valuing import Valuer
from mbrl_ros.learner_settings import DistillConfig
from mbrl_ros.learning.trained_on import copied
from mbrl_ros.policies.artefact import to_bytes
from mbrl_ros.policies.card import PolicyCard
from mbrl_ros.policies.network import Policy, Value

JUDGES_SEED = 1_000_003
PATIENCE = 5  # rounds that bring nothing, after which none will

Found = TypeVar("Found")


@dataclass(frozen=True)
class Round:
    """What came of one."""

    decisions: int  # that the teacher has made in all
    imitation: float  # distance to the teacher on robots that the policy was not trained on, weighed as in training
    loss: float  # the same on what it was trained on
    reward: float  # mean a step, in the model
    value_off: float  # of V on rollouts that it has not learned from, of the spread of returns
    best: bool  # of all rounds so far, by its reward
    guided: bool  # its teacher listened to the policy
    progress: bool  # `best`, or nearer to its teacher than all rounds before it with such a teacher


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
        self._edges: Tensor | None = None  # (2, I) the lowest and the highest of all that was ever seen
        self.rounds: list[Round] = []

    @property
    def done(self) -> bool:
        since = next((i for i, r in enumerate(reversed(self.rounds)) if r.progress), len(self.rounds))
        return len(self.rounds) >= self._config.rounds or since >= PATIENCE

    @property
    def diverged(self) -> bool:
        """Whether a network answers what is no number, and never will again."""
        with torch.no_grad():
            seen, priors = self._seen[-1], self._priors[-1]
            answers = self._policy.wish(seen, priors), self._valuer.value.worth(seen)
        return not all(torch.isfinite(answer).all() for answer in answers)

    def begin_also_in(self, states: Tensor) -> None:
        """(N, S) where the real robot has come under the policy."""
        self._world.begin_also_in(states)

    def has_seen(self, card: PolicyCard) -> None:
        """What the policy with which this began has seen, its successors know too."""
        self._widen(torch.tensor([card.lowest, card.highest]))

    def round(self) -> Iterator[float]:
        """One round, a share of it at a time, so that the caller can look after other things in between."""
        first = len(self._seen)
        guided = yield from _within(0.0, 0.6, self._listen())
        imitation = yield from _within(0.6, 0.61, self._off(first))
        yield from _within(0.61, 0.79, self._train())
        yield from _within(0.79, 0.95, self._valuer.learn(self._policy))
        loss = yield from _within(0.95, 0.96, self._off(0))
        reward = yield from _within(0.96, 1.0, self.earned(self._policy))
        best = all(reward > r.reward for r in self.rounds)
        progress = best or all(imitation < r.imitation for r in self.rounds if r.guided == guided)
        if best:
            self.best, self.best_value = copied(self._policy), copied(self._valuer.value)
        said = sum(map(len, self._seen))
        self.rounds.append(Round(said, imitation, loss, reward, self._valuer.off, best, guided, progress))
        yield 1.0

    def take_over(self, earlier: Distiller, most: int) -> None:
        """Goes on from an earlier one, in a world of its own: with its networks and the newest steps, at most so many,
        of what was said there."""
        self._policy, self._weights, self._edges = earlier._policy, earlier._weights, earlier._edges
        self.best, self.best_value = earlier.best, earlier.best_value
        self._before = earlier._before + len(earlier.rounds)
        self._valuer.value = earlier._valuer.value
        self._seen, self._priors, self._wanted = (
            part[-most:] for part in (earlier._seen, earlier._priors, earlier._wanted)
        )

    def artefact(self, card: PolicyCard) -> bytes:
        """The best policy so far as a file; what is not in the card yet is told here."""
        lowest, highest = self._edges.tolist()
        card = replace(card, lowest=tuple(lowest), highest=tuple(highest))
        return to_bytes(self.best, self.best_value, card, (self._seen[-1][-1], self._priors[-1][-1]))

    def _listen(self) -> Generator[float, None, bool]:
        """The policy drives, the teacher says what it would have done; returns whether the policy guided it."""
        config, world = self._config, self._world
        robots = world.robots(config.robots)
        due = config.guided_from and self._before + len(self.rounds) + 1 >= config.guided_from
        guided = bool(due) and self.best_value is not None
        if guided:
            self._teacher.listen_to(self.best, self.best_value, config.value.discount, config.guided_horizon)
        self._teacher.begin(robots.priors)
        if self._weights is None:
            self._weights = yield from _within(0.0, 0.0, self._teacher.sensitivity(robots))
        for step in range(config.steps):
            seen, wanted = world.seen(robots), []
            for decision in self._teacher.decisions(robots):
                wanted.append(decision)
                yield (step + len(wanted) / config.robots) / config.steps
            self._widen(seen)
            self._seen.append(seen)
            self._priors.append(robots.priors)
            self._wanted.append(torch.stack(wanted))
            with torch.no_grad():
                robots = world.step(robots, self._policy.decide(seen, robots.priors))
        return guided

    def _widen(self, seen: Tensor) -> None:
        """(B, I)"""
        seen = seen if self._edges is None else torch.cat([self._edges, seen])
        self._edges = torch.stack([seen.min(0).values, seen.max(0).values])

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
    def _off(self, first: int) -> Generator[float, None, float]:
        """Distance to what was said from entry `first` on; they are of one size."""
        entries = list(zip(self._seen[first:], self._priors[first:], self._wanted[first:], strict=True))
        off = []
        for entry in entries:
            off.append(self._loss(*entry))
            yield len(off) / len(entries)
        return float(torch.stack(off).mean())

    @torch.no_grad()
    def earned(self, policy: Policy) -> Generator[float, None, float]:
        """Mean reward a step of robots that `policy` drives in the model: the same ones for each and in every round."""
        world, config = self._world.again(JUDGES_SEED), self._config
        robots, earned = world.robots(config.judges), []
        for step in range(config.steps):
            yield step / config.steps
            robots = world.step(robots, policy.decide(world.seen(robots), robots.priors))
            earned.append(world.reward(robots).mean())
        return float(torch.stack(earned).mean())


def _within(low: float, high: float, part: Generator[float, None, Found]) -> Generator[float, None, Found]:
    """A part of something longer, as its shares from `low` to `high`."""
    while True:
        try:
            share = next(part)
        except StopIteration as end:
            return end.value
        yield low + (high - low) * share
