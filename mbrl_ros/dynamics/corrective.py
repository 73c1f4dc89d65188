"""Corrective labels (DAgger for models): from where the model has drifted to, back to what came in truth.

    s^_0 = s_0,  s^_k+1 = f(s^_k, a_k)      labels: (s^_k, a_k) -> s_k+1

A model rolled on its own predictions is asked about states that no robot was in; these say what to answer there.
"""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def corrected(model, states: Tensor, actions: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Recorded states (R, T + 1, S) and actions (R, T, A) -> windows of one step, (W, 2, S) and (W, 1, A).

    Every run is cut into stretches of `steps`, each begun at a true state; what is not finite is left out. With
    several members each stretch is drifted by one of them, in turns.
    """
    steps = min(steps, actions.shape[1])
    count = actions.shape[1] // steps
    told = actions[:, : count * steps].unflatten(1, (count, steps)).flatten(0, 1)  # (B, steps, A)
    truth = states[:, 1 : count * steps + 1].unflatten(1, (count, steps)).flatten(0, 1)
    starts = states[:, : count * steps : steps].flatten(0, 1)
    m = model.members
    paths = model.rollout(starts.expand(m, -1, -1), told.expand(m, -1, -1, -1))
    rows = torch.arange(len(starts))
    drifted = torch.cat([starts[:, None], paths[rows % m, rows, :-1]], 1)[:, 1:]  # those at true states are known
    pairs = torch.stack([drifted, truth[:, 1:]], 2).flatten(0, 1)
    whole = torch.isfinite(pairs).all(-1).all(-1)
    return pairs[whole], told[:, 1:].flatten(0, 1)[whole][:, None]
