"""What usually comes next, whatever is done: p(s' | s), a normal distribution learned without actions.

Its one use: a prior. A next state far outside it is one that whoever made the data never brought about, so a plan that
expects it asks the dynamics model about something it cannot know. It learns from recordings without actions, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.dynamics.fitting import FitConfig, fit
from mbrl_ros.dynamics.kinds import gaussian


@dataclass(frozen=True)
class ActionFree:
    model: gaussian.Gaussian  # with no actions

    def distance(self, states: Tensor, next_states: Tensor) -> Tensor:
        """(..., S) each -> (...) how far the next states are from usual: standard deviations, root mean square."""
        flat = states.flatten(0, -2)
        mean, variance = self.model.distribution(flat, flat.new_zeros(len(flat), 0))
        off = (next_states.flatten(0, -2) - mean[0]).square() / variance[0]
        return off.mean(-1).sqrt().view(states.shape[:-1])


def action_free(states: Tensor, config: FitConfig, seed: int = 0) -> ActionFree:
    """From recorded states alone, (R, T + 1, S)."""
    made = gaussian.new(gaussian.Config(particles=1), (states.shape[-1], 0), seed)
    nothing = torch.zeros(states.shape[0], states.shape[1] - 1, 0)
    return ActionFree(fit(gaussian, made, states, nothing, config, seed).model)
