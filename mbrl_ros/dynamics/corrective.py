"""Corrective labels (DAgger for models): from where the model has drifted to, back to what came in truth.

    s^_0 = s_0,  s^_k+1 = f(s^_k, a_k)      labels: (s^_k, a_k, a_k+1 ..) -> s_k+1, s_k+2 ..

A model rolled on its own predictions is asked about states that no robot was in; these say what to answer there.
"""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def corrected(model, states: Tensor, actions: Tensor, steps: int, rollout: int = 1) -> tuple[Tensor, Tensor]:
    """Recorded states (R, T + 1, S) and actions (R, T, A) -> windows of K = `rollout` steps, (W, K + 1, S), (W, K, A).

    Every run is cut into stretches of `steps`, each begun at a true state; what is not finite is left out, and what has
    no K steps after it. With several members each stretch is drifted by one of them, in turns.
    """
    steps = min(steps, actions.shape[1])
    count = actions.shape[1] // steps
    told = actions[:, : count * steps].unflatten(1, (count, steps)).flatten(0, 1)  # (B, steps, A)
    starts = states[:, : count * steps : steps].flatten(0, 1)
    m = model.members
    paths = model.rollout(starts.expand(m, -1, -1), told.expand(m, -1, -1, -1))
    rows = torch.arange(len(starts))
    drifted = torch.cat([starts[:, None], paths[rows % m, rows, :-1]], 1)[:, 1:]  # those at true states are known
    drifted = drifted.unflatten(0, (len(states), count))  # (R, stretch, place in it after the first, S)
    run, stretch, place = torch.meshgrid(*(torch.arange(n) for n in drifted.shape[:3]), indexing="ij")
    first = stretch * steps + place + 1
    kept = torch.isfinite(drifted).all(-1) & (first + rollout <= actions.shape[1])
    run, first, drifted = run[kept][:, None], first[kept][:, None], drifted[kept][:, None]
    following = first + torch.arange(rollout)
    return torch.cat([drifted, states[run, following + 1]], 1), actions[run, following]
