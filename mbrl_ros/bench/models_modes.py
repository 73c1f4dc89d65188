"""`mbrl bench models`: a world that goes one way or the other, and what a sample of it costs."""

from __future__ import annotations

import dataclasses
import time

import torch
from torch import Tensor

from mbrl_ros.bench.models_toys import FORK_NOISE, Recording, fork, forked, swung
from mbrl_ros.dynamics.fitting import FitConfig, fit
from mbrl_ros.dynamics.kinds import diffusion, energy, gaussian, l2

FIT = FitConfig(steps=4000, batch=128)
DEAR = FitConfig(steps=800, batch=128)  # of the energy model, of which every step is twenty times as dear
STARTS, SAMPLES = 50, 100  # states asked about, and how often each
WITHIN = 4.0  # sigmas of the noise around a mode that count as in it
LEAST = 0.2  # share of the samples in each mode, for both to be covered
WALKS = (8, 1), (64, 20), (512, 20)  # starts and steps of a sample of the energy model; the first is the ladder's
STEPS = (1, 2, 3, 5, 10, 50)


def both_ways(seed: int) -> dict[str, float]:
    """Share of the samples that are in a mode, counted only from states of which both modes are."""
    found, data = {}, forked(2000, seed)
    for name, kind, config in (
        ("energy", energy, energy.Config(particles=SAMPLES)),
        ("diffusion", diffusion, diffusion.Config(particles=SAMPLES)),
        ("gaussian", gaussian, gaussian.Config(particles=SAMPLES)),
        ("l2", l2, l2.Config()),
    ):
        model = _fitted(kind, config, data, seed, DEAR if kind is energy else FIT)
        if name in ("l2", "gaussian"):
            found[f"fork: samples in either way, {name}"] = in_modes(model, seed)
        else:
            found[f"fork: samples in both ways, {name}"] = in_modes(model, seed, both=True)
    return found


def few_steps(seed: int) -> dict[str, float]:
    """What a diffusion model's samples are off by, and take, by the number of steps that each is made in."""
    model = _fitted(diffusion, diffusion.Config(particles=SAMPLES), forked(2000, seed), seed)
    found = {}
    for steps in STEPS:
        fewer = dataclasses.replace(model, config=dataclasses.replace(model.config, steps=steps))
        found[f"diffusion in {steps} steps: distance to the true distribution, sigmas"] = _distance(fewer, seed)
        found[f"diffusion in {steps} steps: ms, 100 plans of 20 steps"] = _milliseconds(fewer)
    return found


def costs(seed: int) -> dict[str, float]:
    """Milliseconds of a rollout of 100 plans of 20 steps, one particle."""
    data, found = forked(200, seed), {}
    for name, kind in (("l2", l2), ("gaussian", gaussian), ("diffusion", diffusion), ("energy", energy)):
        config = kind.Config() if name == "l2" else kind.Config(particles=1)
        model = _fitted(kind, config, data, seed, FitConfig(steps=5))
        found[f"rollout of 100 plans of 20 steps: ms, {name}"] = _milliseconds(model)
    return found


def off_by(seed: int) -> dict[str, float]:
    """How far one sample of the next state is off where there is only one answer, in standard deviations of a step."""
    data, fresh = swung(15, 40, seed), swung(200, 1, seed + 1000)
    found = {}

    def off(model) -> float:
        said = model.rollout(fresh.states[None, :, 0], fresh.actions[None])[0, :, 0]
        return float(((said - fresh.states[:, 1]) / model.normaliser.step_std).square().mean().sqrt())

    for name, kind, configs in (
        ("l2", l2, [l2.Config()]),
        ("diffusion", diffusion, [diffusion.Config(particles=1, steps=4)]),
        ("energy", energy, [energy.Config(particles=1, starts=starts, steps=steps) for starts, steps in WALKS]),
    ):
        model = fit(kind, kind.new(configs[0], (3, 1), seed), data.states, data.actions, DEAR, seed).model
        for config in configs:
            how = f", {config.starts} starts, {config.steps} steps" if kind is energy else ""
            found[f"a sample of a pendulum is off by, {name}{how}"] = off(dataclasses.replace(model, config=config))
    return found


def samples(model, seed: int) -> tuple[Tensor, Tensor]:
    """(n, STARTS) next states less what is halfway between the modes, which are at -1 and 1; and the true ones."""
    fresh = forked(STARTS, seed + 1000)
    start, told = fresh.states[:, 0], fresh.actions
    m = model.members
    reached = model.rollout(start.expand(m, -1, -1), told.expand(m, -1, -1, -1))[:, :, 0]
    return (reached - fork(start, told[:, 0]))[..., 0].detach(), (fresh.states[:, 1] - fork(start, told[:, 0]))[..., 0]


def in_modes(model, seed: int, both: bool = False) -> float:
    """Share of all samples within a mode; of a state that has not `both`, none count where both are asked for."""
    reached, _ = samples(model, seed)
    up, down = ((reached - way).abs() < WITHIN * FORK_NOISE for way in (1.0, -1.0))
    counted = (
        (up.float().mean(0) >= LEAST) & (down.float().mean(0) >= LEAST) if both else torch.ones(STARTS, dtype=bool)
    )
    return float(((up | down) & counted).float().mean())


def _distance(model, seed: int) -> float:
    """Mean distance of sorted samples and sorted truth (Wasserstein), in sigmas of the noise."""
    reached, _ = samples(model, seed)
    drawn = reached.flatten().sort().values
    generator = torch.Generator().manual_seed(seed)
    way = torch.where(torch.arange(len(drawn)) < len(drawn) // 2, -1.0, 1.0)
    truth = (way + FORK_NOISE * torch.randn(len(drawn), generator=generator)).sort().values
    return float((drawn - truth).abs().mean() / FORK_NOISE)


def _milliseconds(model, plans: int = 100, horizon: int = 20) -> float:
    """The quickest of three, one particle."""
    states, actions = torch.zeros(1, plans, 1), torch.zeros(1, plans, horizon, 1)
    took = []
    for _ in range(3):
        began = time.perf_counter()
        model.rollout(states, actions)
        took.append(1e3 * (time.perf_counter() - began))
    return min(took)


def _fitted(kind, config, data: Recording, seed: int, fitting: FitConfig = FIT):
    return fit(kind, kind.new(config, (1, 1), seed), data.states, data.actions, fitting, seed).model
