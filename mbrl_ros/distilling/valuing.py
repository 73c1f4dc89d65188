"""What it is worth to be somewhere under a policy: TD(lambda) on rollouts of the model, from where the robot has been.

    G_t = c_t + discount ((1 - trace) V(s_t+1) + trace G_t+1),    V(s_t) -> G_t

c is what a step counts in a plan: the task's reward for the state that it leads to, less what the decision costs. A
plan ends where noise has taken it, so that is where returns are taken from: after some steps with the planner's noise.
Who is lost stays lost, and earns for ever what he earned by it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from mbrl_ros.control.scoring import decision_cost
from mbrl_ros.distilling.imagined import Imagined, Robots
from mbrl_ros.learner_settings import ValueConfig
from mbrl_ros.learning.trained_on import copied
from mbrl_ros.planners.sampling import correlated_noise
from mbrl_ros.policies.network import Policy, Value, new_value, seen_from
from mbrl_ros.settings import CostConfig, MppiConfig

COMING = 0.2  # s in which commands still change; from then on they are held, as in a plan
KEPT = 4  # batches of rollouts that are learned from, the newest ones


@dataclass(frozen=True)
class Returns:
    """Of rollouts, flattened."""

    seen: Tensor  # (N, I)
    earned: Tensor  # (N,)


class Valuer:
    """Give it the policy as it changes; `value` is what it believes so far."""

    def __init__(
        self,
        policy: Policy,
        world: Imagined,
        config: ValueConfig,
        mppi: MppiConfig,
        cost: CostConfig,
        seed: int,
        value: Value | None = None,
    ):
        """`mppi`: of the plans at whose end it is to be asked; `value` to begin with."""
        self.value = _to_be_trained(copied(value)) if value else None
        self.off = float("nan")  # typical error on rollouts that it has not learned from, of a typical return's own
        self._first = new_value(policy, seed)
        self._world, self._config, self._mppi, self._cost = world, config, mppi, cost
        self._generator = torch.Generator().manual_seed(seed)
        self._kept: deque[Returns] = deque(maxlen=KEPT)

    def learn(self, policy: Policy) -> Iterator[float]:
        """Rollouts under the policy as it is now, and what they say of V; a share of it at a time."""
        config = self._config
        for batch in range(config.batches):
            found = yield from self._rollouts(policy, batch / config.batches)
            if self.value is None:
                self.value = _in_units_of(found.earned, self._first)
            wrong = (self.value.worth(found.seen) - found.earned).detach()
            self.off = float(wrong.abs().median() / (found.earned - found.earned.median()).abs().median())
            self._kept.append(found)
            for _ in self._regress():
                yield (batch + 1) / config.batches

    @torch.no_grad()
    def _rollouts(self, policy: Policy, share: float) -> Generator[float, None, Returns]:
        """Yields the share after every step."""
        config, world, mppi = self._config, self._world, self._mppi
        robots = world.robots(config.robots)
        for _ in range(round(COMING / world.dt)):
            robots = world.step(robots, policy.decide(world.seen(robots), robots.priors))
            yield share
        robots = replace(robots, wanted=robots.commands)
        noise = correlated_noise(config.robots, mppi.horizon, world.map.size, mppi.knot_steps, self._generator)
        noise = noise * mppi.noise * world.map.noise * torch.rand(config.robots, 1, 1, generator=self._generator)
        seen, counted, lost = [], [], []
        for step in range(mppi.horizon + config.steps):
            decisions = policy.wish(world.seen(robots), robots.priors)
            if step < mppi.horizon:
                decisions = decisions + noise[:, step]
            decisions = torch.minimum(torch.maximum(decisions, policy.bounds[0]), policy.bounds[1])
            seen.append(seen_from(robots.states, robots.commands, robots.phases))
            priors, before = robots.priors, robots.before
            robots = world.step(robots, decisions, disturbed=False)
            counted.append(world.reward(robots) - decision_cost(self._cost, decisions, before, priors, (1,)))
            lost.append(robots.lost)
            yield share
        return self._returns(seen, counted, lost, robots)

    def _returns(self, seen: list[Tensor], counted: list[Tensor], lost: list[Tensor], last: Robots) -> Returns:
        discount, trace = self._config.discount, self._config.trace
        value = self.value.worth if self.value else lambda seen: seen.new_zeros(len(seen))
        after = value(seen_from(last.states, last.commands, last.phases))
        earned = after
        found = []
        for step in range(len(counted) - 1, self._mppi.horizon - 1, -1):
            follows = torch.where(lost[step], counted[step] / (1 - discount), (1 - trace) * after + trace * earned)
            earned = counted[step] + discount * follows
            after = value(seen[step])
            found.append(earned)
        return Returns(torch.cat(seen[self._mppi.horizon :][::-1]), torch.cat(found))

    def _regress(self) -> Iterator[None]:
        config, value = self._config, self.value
        optimiser = torch.optim.AdamW(value.parameters, lr=config.rate)
        seen = torch.cat([returns.seen for returns in self._kept])
        wanted = (torch.cat([returns.earned for returns in self._kept]) - value.offset) / value.scale
        for _ in range(config.updates):
            picked = torch.randint(len(seen), (config.batch,), generator=self._generator)
            optimiser.zero_grad(set_to_none=True)
            F.smooth_l1_loss(value.normal(seen[picked]), wanted[picked]).backward()
            optimiser.step()
            yield


def _in_units_of(earned: Tensor, value: Value) -> Value:
    low, middle, high = earned.quantile(torch.tensor([0.16, 0.5, 0.84]))
    return _to_be_trained(replace(value, offset=middle, scale=(high - low) / 2 + 1e-6))


def _to_be_trained(value: Value) -> Value:
    for parameter in value.parameters:
        parameter.requires_grad_(True)
    return value
