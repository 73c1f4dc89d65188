"""An energy of every change of the state: low where it is likely. It can have as many valleys as the world has answers.

    p(c | s, a) ~ exp(-E(s, a, c)),   c = normalised change within a box of +-BOX

Learned by telling the true change from others, ranked by what is left of each after how likely it was to be offered,

    -log softmax over {true, offered}(-E(c) - ln q(c))        q: other changes in the batch, each widened by a normal

and by lifting where short Langevin chains end, which is where the model itself expects something. Sampled from several
starts: the best of them, by -E, is picked at random in proportion and walks down with noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from mbrl_ros.config import setting
from mbrl_ros.dynamics.ensemble import Normaliser
from mbrl_ros.dynamics.fitting import Step
from mbrl_ros.dynamics.network import Layers, random_layers
from mbrl_ros.dynamics.sizes import Sizes, after, normalised, normalised_change

BOX = 4.0  # standard deviations of a step, beyond which nothing is expected
WIDENING = 0.3  # sigma of what is offered around the changes in the batch
FIRST, LAST = 0.03, 0.001  # step of a Langevin chain, from first to last
STEEPEST = 20.0  # gradient that a chain follows at most
MOST_OFFERED = 256  # changes that q is made of


@dataclass(frozen=True)
class Config:
    """A conditional energy model."""

    particles: int = setting(5, "rows of a rollout, each with luck of its own", low=1)
    width: int = setting(64, "units a hidden layer", low=4, high=4096)
    layers: int = setting(2, "hidden layers", low=1, high=8)
    offered: int = setting(32, "changes from the buffer that the true one is told from", low=1)
    chains: int = setting(4, "Langevin chains a row of the batch", low=0)
    chain_steps: int = setting(5, "of each in training", low=1)
    starts: int = setting(64, "from which a sample's own is picked", low=1)
    steps: int = setting(20, "of Langevin down from it", low=0)
    lift: float = setting(0.1, "weight of what chains find", low=0.0)


@dataclass(frozen=True)
class Energy:
    config: Config
    net: Layers  # E = 1: (S + A + S) -> 1
    normaliser: Normaliser
    action_offset: Tensor  # (A,)
    action_scale: Tensor  # (A,)
    generator: Generator  # of starts and noise in rollouts

    networks = 1

    @property
    def members(self) -> int:
        return self.config.particles

    @property
    def parameters(self) -> list[Tensor]:
        return self.net.parameters

    def energy(self, given: Tensor, change: Tensor) -> Tensor:
        """Given (B, S + A) in the model's units and changes (B, n, S) -> (B, n)."""
        inputs = torch.cat([given[:, None].expand(-1, change.shape[1], -1), change], -1)
        return self.net(inputs.flatten(0, 1)[None]).view(change.shape[:2])

    def sampled(self, given: Tensor) -> Tensor:
        """Given (R, B, S + A) -> one change of each (R, B, S); all B of a row have the same luck."""
        rows, batch, _ = given.shape
        size, count = self.normaliser.step_std.shape[0], self.config.starts

        def shared(draw: Callable, *shape: int) -> Tensor:
            drawn = draw(rows, 1, *shape, generator=self.generator)
            return drawn.expand(-1, batch, *shape).flatten(0, 1)

        given, starts = given.flatten(0, 1), BOX * (2 * shared(torch.rand, count, size) - 1)
        with torch.no_grad():
            odds = -self.energy(given, starts)
        luck = -shared(torch.rand, count).clamp(min=1e-9).log()
        picked = (odds - luck.log()).argmax(1)  # in proportion to exp(odds)
        start = starts[torch.arange(len(given)), picked][:, None]
        walked = self.walked(given, start, self.config.steps, lambda: shared(torch.randn, 1, size))
        return walked.view(rows, batch, size)

    def walked(self, given: Tensor, change: Tensor, steps: int, noise: Callable[[], Tensor]) -> Tensor:
        """Changes (B, n, S) after so many steps of Langevin, smaller and smaller; `noise` of each (B, n, S)."""
        for k in range(steps):
            length = FIRST * (LAST / FIRST) ** (k / max(1, steps - 1))
            with torch.inference_mode(False), torch.enable_grad():  # also where plans are made, without gradients
                at = change.detach().clone().requires_grad_(True)
                (slope,) = torch.autograd.grad(self.energy(given.clone(), at).sum(), at)
            change = change - length * slope.clamp(-STEEPEST, STEEPEST) + math.sqrt(2 * length) * noise()
            change = change.clamp(-BOX, BOX)
        return change.detach()

    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """States (M, B, S) and actions (M, B, H, A) in physical units -> the states that follow (M, B, H, S).

        Starts and noise are drawn anew at each step, and the same for all candidates: they are compared by equal luck.
        """
        x, out = states, []
        for step in range(actions.shape[2]):
            given = torch.cat(normalised(self, x, actions[:, :, step]), -1)
            x = after(self, x, self.sampled(given))
            out.append(x)
        return torch.stack(out, 2)


def new(config: Config, sizes, seed: int) -> Energy:
    known, generator = Sizes.of(sizes), torch.Generator().manual_seed(seed)
    units = [2 * known.state + known.action, *[config.width] * config.layers, 1]
    net = random_layers(1, units, generator)
    return Energy(config, net, known.normaliser, known.action_offset, known.action_scale, generator)


def loss(model: Energy, states: Tensor, actions: Tensor, step: Step) -> Tensor:
    """Physical states (1, B, K + 1, S) and actions (1, B, K, A); every step of a window counts by itself."""
    before, following = states[0, :, :-1].flatten(0, 1), states[0, :, 1:].flatten(0, 1)
    given = torch.cat(normalised(model, before, actions[0].flatten(0, 1)), -1)
    true = normalised_change(model, before, following).clamp(-BOX, BOX)
    config, generator, rows = model.config, step.generator, len(true)
    near = _others(true)
    picked = torch.randint(near.shape[1], (rows, config.offered), generator=generator)
    other = near.gather(1, picked[..., None].expand(-1, -1, true.shape[-1]))
    other = other + WIDENING * torch.randn(other.shape, generator=generator)
    ranked = torch.cat([true[:, None], other], 1)
    energies = model.energy(given, ranked)
    odds = -energies - _offered_density(ranked, near)
    total = -torch.log_softmax(odds, 1)[:, 0].mean() + 1e-3 * energies.square().mean()
    if config.chains and config.lift:
        begin = other[:, : config.chains]
        ends = model.walked(given, begin, config.chain_steps, lambda: torch.randn(begin.shape, generator=generator))
        total = total + config.lift * (energies[:, 0].mean() - model.energy(given, ends).mean())
    return total


def _others(changes: Tensor) -> Tensor:
    """Changes (B, S) -> for each those of some other rows (B, C, S).

    Never its own: the true change would seem to be offered often for being itself, all the more where few others are
    near, and that is with many features.
    """
    rows = len(changes)
    after = torch.arange(1, max(2, min(rows, MOST_OFFERED + 1)))
    return changes[(torch.arange(rows)[:, None] + after) % rows]


def _offered_density(change: Tensor, centres: Tensor) -> Tensor:
    """ln q of changes (B, n, S), but for a constant: a normal around each of a row's centres (B, C, S)."""
    apart = torch.cdist(change, centres).square() / (2 * WIDENING**2)
    return torch.logsumexp(-apart, 2)
