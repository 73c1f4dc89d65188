"""Composes model, task, action map and treatment of uncertainty into the Problem that a planner sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.control.luck import Luck
from mbrl_ros.control.treatments import Treatment, drawn_orders, member_anew
from mbrl_ros.planners.problem import Problem
from mbrl_ros.robots.action_maps import paced
from mbrl_ros.settings import SHARED_OUT, CostConfig


@dataclass(frozen=True)
class Situation:
    """The fixed buffers that a tick overwrites: views of one, so that one copy brings them to another device."""

    all: Tensor
    told: Tensor  # (A,) the target before the first planned one, where an action map has a rate; else (0,)
    state: Tensor  # (S,) features at the first planned step
    command: Tensor  # (C,)
    turn: Tensor  # (2,) sine and cosine of the gait's phase at the first step
    phase: Tensor  # (H,) at each step
    prior: Tensor  # (H, U)
    before: Tensor  # (U,) the decision of the step before
    warm: Tensor  # (H, U) where a search on another device begins
    tuning: Tensor  # (2,) its temperature, and the size of its noise
    strictness: Tensor  # (1,) what leaving the task's bounds of the state costs, by how much and how long

    @staticmethod
    def empty(state_size: int, command_size: int, decision_size: int, horizon: int, told_size: int = 0) -> Situation:
        decisions = (horizon, decision_size)
        seen = (state_size,), (command_size,), (2,)
        shapes = (told_size,), *seen, (horizon,), decisions, (decision_size,), decisions, (2,), (1,)
        sizes = [math.prod(shape) for shape in shapes]
        buffer = torch.zeros(sum(sizes))
        return Situation(buffer, *(part.view(shape) for part, shape in zip(buffer.split(sizes), shapes, strict=True)))

    def begin(self, state: Tensor, command: Tensor, phase: Tensor) -> None:
        """State (S,), command (C,) and the gait's phases (H,) to plan from."""
        self.state.copy_(state)
        self.command.copy_(command)
        self.phase.copy_(phase)
        first = 2 * math.pi * float(phase[0])
        self.turn[0], self.turn[1] = math.sin(first), math.cos(first)

    @property
    def seen(self) -> Tensor:
        """(I,) as a policy sees it."""
        return self.all[self.told.numel() :][: self.state.numel() + self.command.numel() + self.turn.numel()]

    @property
    def root(self) -> Tensor:
        """(A + S,) all that the next step depends on: what was told before, and the state."""
        return self.all[: self.told.numel() + self.state.numel()]


def decision_cost(cost: CostConfig, decisions: Tensor, before: Tensor, prior: Tensor, over: tuple[int, ...]) -> Tensor:
    """What decisions cost themselves, beside what the task makes of them; summed over the dimensions `over`."""
    smooth, near = (decisions - before).square().sum(over), (decisions - prior).square().sum(over)
    return cost.smoothness * smooth + cost.prior * near


def make_problem(
    situation: Situation,
    model,
    task,
    action_map,
    cost: CostConfig,
    treatment: str,
    pessimism: float,
    samples: int,
    beyond=None,
    proposal: Callable[[], Tensor] | None = None,
    cvar: float = 1.0,
    luck: Luck | None = None,
) -> Problem:
    """`samples` rollouts in all: as many candidates with one member each (tsinf, ts1), or fewer that visit all members.

    `beyond` and `proposal`: what a policy has to say, as control/beyond.py finds it. `luck`: of the model's draws.
    """
    members = model.members if model is not None else 1  # without a model nothing can be scored, only the prior used
    each = max(2, samples // members)
    shared_out = treatment in SHARED_OUT
    treated, told_size = Treatment(treatment, pessimism, cvar).of_members, situation.told.numel()
    columns = {"ts1": each, "ts1_mean": 1}.get(treatment, 0)  # in a mean all candidates meet the same members
    orders = drawn_orders(len(situation.phase), members, columns, situation.all) if columns else None

    def decoded(decisions: Tensor) -> Tensor:
        """(N, H, U) -> targets (N, H, A), no faster than they may change."""
        targets = action_map.decode(decisions, situation.phase)
        return paced(targets, situation.told, action_map.rate) if situation.told.numel() else targets

    rest = situation.seen[situation.state.numel() :]
    violation = getattr(task, "violation", None)

    def step_rewards(states: Tensor) -> Tensor:
        """Of states (..., S), (...)."""
        rewards = task.reward(states, situation.command)
        return rewards if violation is None else rewards - situation.strictness * violation(states)

    def rewards(through, told: Tensor) -> Tensor:
        """Of targets (M, B, H, A), (M, B)."""
        if luck is not None:
            luck.again()
        states = through(situation.state.expand(members, told.shape[1], -1), told)  # (M, B, H, S)
        rewards = step_rewards(states)
        if beyond is None:
            return rewards.sum(-1)
        last = states[:, :, -1]
        return rewards.sum(-1) + beyond.worth(last, rest, rewards[..., -1], task.terminated(last))

    def net(returns: Tensor, decisions: Tensor) -> Tensor:
        """Without what the decisions (N, H, U) cost themselves."""
        previous = torch.cat([situation.before.expand(len(decisions), 1, -1), decisions[:, :-1]], 1)
        returns = returns - decision_cost(cost, decisions, previous, situation.prior, (1, 2))
        return returns.nan_to_num(-torch.inf, -torch.inf, -torch.inf)

    def through_one(decisions: Tensor) -> Tensor:
        targets = decoded(decisions)
        through = model.rollout if orders is None else member_anew(model.rollout, orders)
        return net(rewards(through, targets.unflatten(0, (members, -1))).flatten(), decisions)

    def through_all(decisions: Tensor, differentiable: bool = False) -> Tensor:
        targets = decoded(decisions)
        through = model.differentiable_rollout if differentiable else model.rollout
        if treatment == "ts1_mean":
            through = member_anew(through, orders)
        return net(treated(rewards(through, targets.expand(members, *targets.shape))), decisions)

    def gradient(decisions: Tensor) -> tuple[Tensor, Tensor]:
        with torch.inference_mode(False), torch.enable_grad():
            variable = decisions.clone().requires_grad_()
            values = through_all(variable, differentiable=True)
            return values.detach(), torch.autograd.grad(values.sum(), variable)[0]

    def step(states: Tensor, decisions: Tensor) -> tuple[Tensor, Tensor]:
        """From states (B, M, A + S), as `root`. Decoded step by step: not where a map makes one of several."""
        before, x = states.split((told_size, states.shape[-1] - told_size), -1)
        targets = action_map.decode(decisions, situation.phase[: decisions.shape[1]])  # (B, T, A)
        if told_size:
            targets = paced(targets, before[:, 0], action_map.rate)
        after = model.rollout(x.transpose(0, 1), targets.expand(members, *targets.shape))  # (M, B, T, S)
        told = targets[:, :, None, :told_size].expand(-1, -1, members, -1)
        return torch.cat([told, after.permute(1, 2, 0, 3)], -1), step_rewards(after).permute(1, 2, 0)

    def ends(states: Tensor) -> Tensor:
        """Of states (B, M, A + S) at the horizon, (B, M)."""
        last = states[..., told_size:].transpose(0, 1)
        return beyond.worth(last, rest, step_rewards(last), task.terminated(last)).T

    return Problem(
        score=through_one if shared_out else through_all,
        bounds=action_map.bounds,
        noise=action_map.noise,
        prior=situation.prior,
        proposal=proposal,
        candidates=each * members if shared_out else each,
        value=through_all,
        gradient=gradient if hasattr(model, "differentiable_rollout") else None,
        root=situation.root.expand(members, -1),
        step=step if model is not None and action_map.stepwise else None,
        choices=getattr(action_map, "choices", None),
        treated=lambda returns: treated(returns.movedim(-1, 0)),
        ends=ends if beyond is not None else None,
    )
