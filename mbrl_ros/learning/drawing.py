"""Which windows of the data a training step sees.

    uniform       all alike
    prioritised   p ~ (error + a little)^priority,   each counts (1 / p)^correction

The error is the model's own on the window, looked up anew every so many steps for all windows, or as many as fit, and
kept nowhere: a learner that starts again draws the same. A correction of 1 takes the bias out that drawing brings in,
and with it most of what it is for; noise that nobody can predict is drawn for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mbrl_ros.learner_settings import TrainConfig

MOST = 2048  # windows a member that errors are looked up of at once
AGAIN = 50  # training steps after which they are
LITTLE = 0.01  # of the mean error, that every window has on top: none is never drawn

Drawn = tuple[np.ndarray, np.ndarray | None]  # (E, B) starts and, where they do not count alike, (E, B) by how much


def drawn(
    own: Sequence[np.ndarray],
    config: TrainConfig,
    errors: Callable[[np.ndarray], np.ndarray],
    generator: np.random.Generator,
) -> Iterator[Drawn]:
    """For ever, from each member's own starts. `errors`: of starts (E, N), (E, N)."""
    if config.replay == "prioritised":
        return prioritised(own, config, errors, generator)
    return uniform(own, config, generator)


def uniform(own: Sequence[np.ndarray], config: TrainConfig, generator: np.random.Generator) -> Iterator[Drawn]:
    while True:
        yield np.stack([o[generator.integers(len(o), size=config.batch)] for o in own]), None


def prioritised(
    own: Sequence[np.ndarray],
    config: TrainConfig,
    errors: Callable[[np.ndarray], np.ndarray],
    generator: np.random.Generator,
) -> Iterator[Drawn]:
    count = min(MOST, *(len(o) for o in own))
    while True:
        known = np.stack([o[generator.permutation(len(o))[:count]] for o in own])  # (E, N)
        chance = chances(errors(known), config.priority)
        counts = (1 / chance) ** config.correction
        counts /= (chance * counts).sum(1, keepdims=True)  # 1 in the mean of what is drawn
        reached = chance.cumsum(1)
        for _ in range(AGAIN):
            luck = generator.random((len(own), config.batch))
            at = np.stack([np.searchsorted(r, u * r[-1], side="right") for r, u in zip(reached, luck, strict=True)])
            yield np.take_along_axis(known, at, 1), np.take_along_axis(counts, at, 1).astype(np.float32)


def chances(error: np.ndarray, exponent: float) -> np.ndarray:
    """Errors (E, N) -> (E, N), of each member 1 in all. An error that is not finite is as the largest that is."""
    finite = np.isfinite(error)
    error = np.where(finite, error, np.max(error, initial=0.0, where=finite))
    raised = (error + LITTLE * error.mean(1, keepdims=True) + np.finfo(np.float64).tiny) ** exponent
    return raised / raised.sum(1, keepdims=True)
