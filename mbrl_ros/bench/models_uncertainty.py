"""`mbrl bench models`: do models know how sure they are?"""

from __future__ import annotations

import torch
from torch import Tensor

from mbrl_ros.bench.models_toys import Recording, field_noise, field_steps
from mbrl_ros.dynamics import uncertainty
from mbrl_ros.dynamics.fitting import FitConfig, fit
from mbrl_ros.dynamics.kinds import bayes, ensemble, gaussian

FIT = FitConfig(steps=1200, batch=128)
LITTLE, MUCH = 500, 5000  # steps of data


def known_noise(seed: int) -> dict[str, float]:
    """How far the predicted standard deviation is off, in the worst of both features and both halves of the world."""
    data, fresh = field_steps(MUCH, seed), field_steps(1000, seed + 1000)
    return {
        f"noise: predicted std off, {name}": _worst(_split(kind, config, data, seed, fresh), fresh)
        for name, kind, config in (
            ("gaussian", gaussian, gaussian.Config()),
            ("ensemble of gaussians", gaussian, gaussian.Config(members=5)),
            ("bayes", bayes, bayes.Config(width=32)),
        )
    }


def growing_data(seed: int) -> dict[str, float]:
    """Epistemic and aleatoric variance with ten times the data, over those with little."""
    fresh, found = field_steps(1000, seed + 1000), {}
    for name, kind, config in (
        ("gaussians", gaussian, gaussian.Config(members=5)),
        ("bayes", bayes, bayes.Config(width=32)),
    ):
        little, much = (_split(kind, config, field_steps(n, seed), seed, fresh) for n in (LITTLE, MUCH))
        found[f"ten times the data: epistemic variance, {name}"] = float(
            much.epistemic.mean() / little.epistemic.mean()
        )
        found[f"ten times the data: aleatoric variance, {name}"] = float(
            much.aleatoric.mean() / little.aleatoric.mean()
        )
    return found


def held_out_region(seed: int) -> dict[str, float]:
    """AUROC of the members' disagreement: is this state of a region that no data came from?"""
    data = field_steps(1000, seed, keep=lambda s: ~in_region(s))
    inside, outside = (
        field_steps(500, seed + 1000 + i, keep=k) for i, k in enumerate((in_region, lambda s: ~in_region(s)))
    )
    asked = Recording(torch.cat([inside.states, outside.states]), torch.cat([inside.actions, outside.actions]))
    unseen, found = in_region(asked.states[:, 0]).numpy(), {}
    for name, kind, config, fitting in (
        ("ensemble", ensemble, ensemble.Config(), FIT),
        ("ensemble, bootstrap only", ensemble, ensemble.Config(same_start=True), FIT),
        ("ensemble, starts only", ensemble, ensemble.Config(), FitConfig(steps=FIT.steps, bootstrap=False)),
        ("bayes", bayes, bayes.Config(width=32, members=50), FIT),  # ten draws say little of a variance
    ):
        model = fit(kind, kind.new(config, (2, 1), seed), data.states, data.actions, fitting, seed).model
        score = disagreement(model, asked).numpy()
        found[f"held-out region: AUROC of disagreement, {name}"] = uncertainty.area_under_curve(score, unseen)
    return found


def calibration(seed: int) -> dict[str, float]:
    """Mean distance between how often the truth is within an interval and how often that was said."""
    data, fresh, found = field_steps(MUCH, seed), field_steps(1000, seed + 1000), {}
    for name, kind, config in (
        ("gaussian", gaussian, gaussian.Config()),
        ("gaussians", gaussian, gaussian.Config(members=5)),
        ("bayes", bayes, bayes.Config(width=32)),
    ):
        covered = uncertainty.coverage(*predicted(kind, config, data, seed, fresh))
        found[f"calibration: distance of coverage and level, {name}"] = uncertainty.calibration_error(covered)
    return found


def predicted(kind, config, data: Recording, seed: int, fresh: Recording):
    """Truth, mean and standard deviation (B, S) of the fresh steps, by a model of that kind fitted to the data."""
    model = fit(kind, kind.new(config, (2, 1), seed), data.states, data.actions, FIT, seed).model
    means, variances = (t.detach().numpy() for t in model.distribution(fresh.states[:, 0], fresh.actions[:, 0]))
    return fresh.states[:, 1].numpy(), means.mean(0), uncertainty.split(means, variances).total ** 0.5


def _split(kind, config, data: Recording, seed: int, fresh: Recording) -> uncertainty.Split:
    model = fit(kind, kind.new(config, (2, 1), seed), data.states, data.actions, FIT, seed).model
    means, variances = model.distribution(fresh.states[:, 0], fresh.actions[:, 0])
    return uncertainty.split(means.numpy(), variances.numpy())


def _worst(found: uncertainty.Split, fresh: Recording) -> float:
    """|mean predicted / true - 1| of the noise, in the worst of both features and both halves of the world."""
    true, right = field_noise(fresh.states[:, 0]).numpy(), (fresh.states[:, 0, 0] > 0).numpy()
    std = found.total**0.5
    off = [abs(std[half, i].mean() / true[half, i].mean() - 1) for half in (right, ~right) for i in range(2)]
    return float(max(off))


def in_region(states: Tensor) -> Tensor:
    """(B, 2) -> (B,) one quarter of the square."""
    return (states[:, 0] > 0) & (states[:, 1] > 0)


def disagreement(model, asked: Recording) -> Tensor:
    """(B,) variance of the members' means over the features, each in units of a step."""
    states, actions = asked.states[:, 0], asked.actions[:, 0]
    if hasattr(model, "distribution"):
        means = model.distribution(states, actions)[0]
    else:
        m = model.members
        means = model.rollout(states.expand(m, -1, -1), actions[:, None].expand(m, -1, -1, -1))[:, :, 0]
    return (means / model.normaliser.step_std).var(0).sum(-1).detach()
