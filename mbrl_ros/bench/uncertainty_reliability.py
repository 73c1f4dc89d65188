"""`mbrl bench uncertainty`: does it happen as often as a model says, where data was and where none was?"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import torch

from mbrl_ros.bench.experiments import CURVE
from mbrl_ros.bench.models_toys import Recording, field_steps
from mbrl_ros.bench.models_uncertainty import in_region
from mbrl_ros.dynamics import uncertainty
from mbrl_ros.dynamics.fitting import FitConfig, fit
from mbrl_ros.dynamics.kinds import bayes, diffusion, ensemble, gaussian

FIT = FitConfig(steps=1200, batch=128)
DATA, FRESH = 3000, 1000  # steps
LEVELS = np.linspace(0.1, 0.9, 9)
KINDS: dict[str, tuple[ModuleType, object]] = {
    "gaussian": (gaussian, gaussian.Config()),
    "gaussians": (gaussian, gaussian.Config(members=5)),
    "ensemble": (ensemble, ensemble.Config()),
    "bayes": (bayes, bayes.Config(width=32)),
    "diffusion": (diffusion, diffusion.Config(particles=20)),
}
PLACES = ("where data was", "where none was")


def reliability(seed: int) -> dict[str, float]:
    """A world whose noise is known, and a quarter of it that no data came from. Steps are in units of their own."""
    data, found = field_steps(DATA, seed, keep=lambda s: ~in_region(s)), {}
    fresh = [field_steps(FRESH, seed + 1000 + i, keep=k) for i, k in enumerate((lambda s: ~in_region(s), in_region))]
    for name, (kind, config) in KINDS.items():
        model = fit(kind, kind.new(config, (2, 1), seed), data.states, data.actions, FIT, seed).model
        doubts = []
        for place, asked in zip(PLACES, fresh, strict=True):
            truth, mean, said = predicted(model, asked)
            std = np.sqrt(said.total)
            covered = uncertainty.coverage(truth, mean, std, LEVELS)
            off = uncertainty.calibration_error(covered, LEVELS)
            found[f"reliability: coverage off, {place}, {name}"] = off
            found[f"sharpness, mean std said, {place}, {name}"] = uncertainty.sharpness(std)
            found[f"negative log likelihood, {place}, {name}"] = min(
                WORST, uncertainty.negative_log_likelihood(truth, mean, std)
            )
            pairs = zip(LEVELS, covered, strict=True)
            found |= {f"{CURVE}{name}, {place}, {level:.1f}": float(share) for level, share in pairs}
            doubts.append((said.epistemic if said.epistemic.any() else said.total).sum(-1))
        unseen = np.arange(2 * FRESH) >= FRESH
        found[f"reliability: AUROC of doubt, {name}"] = uncertainty.area_under_curve(np.concatenate(doubts), unseen)
    return found


WORST = 1e4  # nats: beyond it a number says no more


def predicted(model, asked: Recording) -> tuple[np.ndarray, np.ndarray, uncertainty.Split]:
    """Truth and mean (B, S), and the variances that the model tells apart, all in standard deviations of a step.

    A model that says no distribution says it by its rows: what they differ by is all that it tells.
    """
    states, actions, unit = asked.states[:, 0], asked.actions[:, 0], model.normaliser.step_std.numpy()
    with torch.no_grad():
        if hasattr(model, "distribution"):
            means, variances = (t.numpy() for t in model.distribution(states, actions))
        else:
            wide = states.expand(model.members, -1, -1), actions[:, None].expand(model.members, -1, -1, -1)
            means = model.rollout(*wide)[:, :, 0].numpy()
            variances = np.zeros_like(means)
    split = uncertainty.split(means / unit, variances / unit**2)
    return asked.states[:, 1].numpy() / unit, means.mean(0) / unit, split
