"""pytorch_mppi doing the same work as our planner: the same networks, costs, action map and candidates.

It is written as fast as its interface allows. The members are batched. Targets, and what they add to the first layer,
are computed for all steps at the first one, and the task's reward for all states at the last one, because twenty small
calls would cost it more than one large one. Noise is drawn at knots as ours is, which is less work than its own.
"""

from __future__ import annotations

import torch
from pytorch_mppi import MPPI
from torch import Tensor
from torch.nn import functional as F

from mbrl_ros.bench.work import Work
from mbrl_ros.dynamics.ensemble import Ensemble
from mbrl_ros.dynamics.folded import FoldedEnsemble

TEMPERATURE = 1.0  # time does not depend on it


class StepwiseEnsemble(FoldedEnsemble):
    """One step a call, as pytorch_mppi wants its dynamics."""

    def __init__(self, model: Ensemble, precision: torch.dtype = torch.float32):
        super().__init__(model)
        self.weights = [w.to(precision) for w in self.weights]
        self.biases = [b.to(precision) for b in self.biases]
        self.precision = precision
        self._inner, self._outer = self.weights[0][:, : self._state_size], self.weights[0][:, self._state_size :]
        self._change = self.change

    def compile(self) -> None:
        self._change = torch.compile(self.change, dynamic=False)

    def first_layer(self, targets: Tensor) -> Tensor:
        """What targets (E, B, H, A) add to the first layer (E, H, B, width)."""
        members, rows, horizon, size = targets.shape
        by_step = targets.transpose(1, 2).reshape(members, horizon * rows, size).to(self.precision)
        return torch.baddbmm(self.biases[0], by_step, self._outer).view(members, horizon, rows, -1)

    def change(self, x: Tensor, first: Tensor) -> Tensor:
        h = F.silu(torch.baddbmm(first, x.to(self.precision), self._inner))
        for weight, bias in zip(self.weights[1:-1], self.biases[1:-1], strict=True):
            h = F.silu(torch.baddbmm(bias, h, weight))
        return torch.baddbmm(self.biases[-1], h, self.weights[-1])

    def step(self, x: Tensor, first: Tensor) -> Tensor:
        """States (E, B, S) one step later."""
        return x + self._change(x, first)


class Peer(MPPI):
    """The whole plan: noise, action map, rollout, all costs, weights."""

    def __init__(self, work: Work, network: StepwiseEnsemble):
        problem, horizon = work.problem, work.config.mppi.horizon
        self._work, self._network = work, network
        self._sigma = problem.noise * work.config.mppi.noise
        states = work.situation.state.shape[0]
        self._seen = torch.empty(horizon, work.model.members, work.rows, states)
        self._nothing = torch.zeros(problem.candidates)
        super().__init__(
            self._step,
            self._cost,
            states,
            torch.diag(self._sigma**2),
            num_samples=problem.candidates,
            horizon=horizon,
            lambda_=TEMPERATURE,
            u_min=problem.bounds[0],
            u_max=problem.bounds[1],
            U_init=problem.prior.clone(),
            step_dependent_dynamics=True,
        )

    @torch.inference_mode()
    def plan(self) -> Tensor:
        self.U = self._work.problem.prior
        return self.command(self._work.situation.state, shift_nominal_trajectory=False)

    @torch.inference_mode()
    def costs(self, decisions: Tensor) -> Tensor:
        """Decisions (N, H, U) -> what each of these candidates costs (N,)."""
        self.state, self.perturbed_action = self._work.situation.state, decisions
        return self._compute_rollout_costs(decisions)[0]

    def _sample_noise(self, shape) -> Tensor:
        noise = self._work.noise() * self._sigma
        noise[0], noise[1] = 0, self._work.problem.prior - self.U
        return noise

    def _step(self, state: Tensor, decision: Tensor, step: int) -> Tensor:
        """States (M, B, S); at the first step the one state that all begin with."""
        if step == 0:
            work = self._work
            targets = work.action_map.decode(self.perturbed_action, work.situation.phase)
            self._first = self._network.first_layer(work.told(targets))
            state = work.situation.state.expand(self._seen.shape[1:])
        self._seen[step] = state = self._network.step(state, self._first[:, step])
        return state

    def _cost(self, state: Tensor, decision: Tensor, step: int) -> Tensor:
        if step < self.T - 1:
            return self._nothing
        work, decisions = self._work, self.perturbed_action
        situation, cost = work.situation, work.config.cost
        returns = work.task.reward(self._seen, situation.command).sum(0)  # (M, B)
        if work.shared_out:
            returns = returns.flatten()
        elif work.config.treatment == "pessimism" and work.model.members > 1:
            returns = returns.mean(0) - work.config.pessimism * returns.std(0)
        else:
            returns = returns.mean(0)
        previous = torch.cat([situation.before.expand(len(decisions), 1, -1), decisions[:, :-1]], 1)
        smoothness = cost.smoothness * (decisions - previous).square().sum((1, 2))
        return smoothness + cost.prior * (decisions - situation.prior).square().sum((1, 2)) - returns


class BarePeer(MPPI):
    """No action map, one short cost, its own noise: what pytorch_mppi costs at the least with these networks."""

    def __init__(self, work: Work, network: StepwiseEnsemble):
        self._work, self._network = work, network
        states, actions = work.situation.state.shape[0], work.model.action_scale.shape[0]
        super().__init__(
            self._step,
            self._cost,
            states,
            torch.diag(work.model.action_scale**2),
            num_samples=work.problem.candidates,
            horizon=work.config.mppi.horizon,
            lambda_=TEMPERATURE,
            U_init=torch.zeros(work.config.mppi.horizon, actions),
            step_dependent_dynamics=True,
        )

    @torch.inference_mode()
    def plan(self) -> Tensor:
        self.U = torch.zeros_like(self.U)
        return self.command(self._work.situation.state, shift_nominal_trajectory=False)

    def _step(self, state: Tensor, action: Tensor, step: int) -> Tensor:
        if step == 0:
            self._first = self._network.first_layer(self._work.told(self.perturbed_action))
            state = self._work.situation.state.expand(self._work.model.members, self._work.rows, -1)
        return self._network.step(state, self._first[:, step])

    def _cost(self, state: Tensor, action: Tensor, step: int) -> Tensor:
        cost = state.square().sum(-1)
        return cost.flatten() if self._work.shared_out else cost.mean(0)
