"""What plans have from a policy: proposals, and by its value what comes after their horizon."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from mbrl_ros.control.scoring import Situation
from mbrl_ros.policies.network import PHASE_INPUTS, Policy, Value
from mbrl_ros.search_settings import SearchConfig


class Beyond:
    """The value at the end of plans of one horizon.

    It is asked of every candidate, so all that is the same for them is folded into the first layer beforehand: the
    normalisation, and the turn of the gait's phase from the first step to the end of the plan.
    """

    def __init__(self, value: Value, discount: float, state_size: int, horizon: int, phase_step: float):
        """`phase_step`: of the gait's phase in one step."""
        self._forever = discount / (1 - discount)
        first = value.weights[0] / value.std[:, None]
        bias = value.biases[0] - (value.mean / value.std) @ value.weights[0]
        turn = 2 * math.pi * horizon * phase_step
        turned = torch.eye(len(first) - state_size, device=first.device)
        turned[-PHASE_INPUTS:, -PHASE_INPUTS:] = torch.tensor(  # sin and cos of the first phase -> of the last one
            [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
        )
        self._of_states, self._of_rest, self._bias = first[:state_size], (turned @ first[state_size:]).T, bias
        self._hidden = tuple(zip(value.biases[1:-1], value.weights[1:-1], strict=True))
        self._last = value.scale * value.biases[-1][0] + value.offset, value.scale * value.weights[-1][:, 0]

    def worth(self, ends: Tensor, rest: Tensor, rewards: Tensor, lost: Tensor) -> Tensor:
        """States (M, B, S) at the end, the rewards (M, B) for them, and who is lost (M, B) -> (M, B).

        `rest`: command, sine and cosine of the phase at the plan's first step. Who is lost stays lost.
        """
        shared = torch.addmv(self._bias, self._of_rest, rest)
        h = F.elu(torch.addmm(shared, ends.reshape(-1, ends.shape[-1]), self._of_states))
        for bias, weight in self._hidden:
            h = F.elu(torch.addmm(bias, h, weight))
        worth = torch.addmv(self._last[0], h, self._last[1]).view(rewards.shape)
        return torch.where(lost, rewards * self._forever, worth)


def guidance(
    policy: Policy, value: Value, discount: float, config: SearchConfig, situation: Situation, phase_step: float
) -> tuple[Beyond | None, Callable[[], Tensor] | None]:
    """What `config` asks for, where the situation lies. The proposal is the policy's decision now."""
    s, device = situation, situation.all.device
    network, value = there(policy, device), there(value, device)

    def proposal() -> Tensor:
        return network.decide(s.seen[None], s.prior[:1])[0]

    beyond = None
    if config.terminal_value:
        beyond = Beyond(value, discount, s.state.numel(), config.horizon, phase_step)
    return beyond, proposal if config.proposals else None


def there(network: Policy | Value, device: torch.device) -> Policy | Value:
    """With all tensors on the device."""

    def moved(part):
        return tuple(t.to(device) for t in part) if isinstance(part, tuple) else part.to(device)

    return replace(network, **{f.name: moved(getattr(network, f.name)) for f in fields(network)})
