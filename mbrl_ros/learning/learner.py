"""Learner: collects transitions, trains when data is due, promotes a model if held-out data does not object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch

from mbrl_ros.data.replay import ReplayBuffer, resampled
from mbrl_ros.dynamics.calibration import STEPS, Calibration, calibrated
from mbrl_ros.dynamics.ensemble import Ensemble, Normaliser, feature_units, new_ensemble, renormalise
from mbrl_ros.dynamics.evaluation import HeldOut, evaluate
from mbrl_ros.dynamics.storage import Card, ModelRefused
from mbrl_ros.dynamics.training import Trainer
from mbrl_ros.learning.drawing import drawn
from mbrl_ros.learning.progress import Counts, Progress
from mbrl_ros.learning.promotion import objection
from mbrl_ros.robots.features import FeatureLayout, is_symmetric, mirror_actions, turned
from mbrl_ros.robots.fit import check_turn
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.settings import LearnerConfig
from mbrl_ros.types import Flag, Transition

HELD_OUT_HORIZON = 20  # steps of the open-loop check
HELD_OUT_WINDOWS = 512


@dataclass(frozen=True)
class Verdict:
    """What became of one round of training."""

    promoted: bool
    card: Card | None  # of the incumbent as it is now
    candidate: HeldOut
    incumbent: HeldOut | None
    loss: float
    objection: str = ""  # why it was not promoted


class Learner:
    """Owns the buffer, the candidate that is trained and the incumbent that plans."""

    def __init__(
        self,
        spec: RobotSpec,
        config: LearnerConfig,
        model: Ensemble | None = None,
        card: Card | None = None,
        keepsake: dict[str, np.ndarray] | None = None,
    ):
        """`model` to go on from; `keepsake`, as data/keepsake.py reads it: some of what that has learned from."""
        self.spec, self.config = spec, config
        self.layout = FeatureLayout(spec)
        self._keepsake = keepsake
        self.buffer = self._new_buffer()
        self._remembered = self.buffer.added
        self.incumbent = model
        self.version = card.version if card else 0
        self.earlier_seconds = card.seconds if card else 0.0  # of data behind the model that came with it
        self.proposed = self.promoted = self.refused = 0
        self.rounds = 0
        self._train_from(model or new_ensemble(config.ensemble, self.layout, config.seed))
        self._generator = np.random.default_rng(config.seed)
        self._trained_at = 0.0  # seconds of data at the last round
        self._mirror = config.train.mirror and is_symmetric(spec)
        check_turn(config, spec)
        self._turn = config.train.turn
        self.card = card  # of the incumbent

    @property
    def seconds(self) -> float:
        """Of robot data seen in this run."""
        return (self.buffer.added - self._remembered) * self.spec.dt

    def add(self, transition: Transition) -> None:
        if Flag.ANEW in transition.flags:
            self.earlier_seconds += self.seconds
            self.buffer, self._trained_at = self._new_buffer(), 0.0
        self.buffer.add(transition)

    def due(self) -> bool:
        """Whether the data calls for a round of training."""
        wait = self.config.every_seconds if self._trained_at else self.config.first_seconds
        return self.seconds - self._trained_at >= wait - 1e-6

    def train(self) -> Iterator[float]:
        """One round, a loss at a time, so that the caller can look after other things in between."""
        first = self.rounds == 0 and self.incumbent is None
        count = self.config.first_steps if first else self.config.steps
        self._trained_at = self.seconds
        steps = self.config.train.rollout
        starts = self.buffer.starts(steps, held_out=False)
        if len(starts) == 0:
            return
        self.rounds += 1
        if not (self.rounds == 1 and self.incumbent is not None):
            self._renormalise()
        members = self._trainer.model.members
        if self.config.train.bootstrap:
            own = resampled(self.buffer, starts, members, self.config.seed)
        else:
            own = [starts] * members
        draws = drawn(own, self.config.train, self._errors, self._generator)
        for picked, counts in islice(draws, count):
            states, actions = self.buffer.sequences(picked, steps)
            if self._mirror:
                states, actions = mirrored_half(self.layout, states, actions)
            if self._turn:
                states = turned(self.layout, states, self._generator)
            counts = None if counts is None else torch.from_numpy(counts)
            yield self._trainer.step(torch.from_numpy(states), torch.from_numpy(actions), counts)

    def judge(self, loss: float = float("nan")) -> Verdict:
        """Promote the candidate unless it loses against the incumbent on held-out data."""
        candidate = copied(self._trainer.model)
        states, actions = self._held_out()
        units = self.layout.scales, self.layout.noise
        quality = evaluate(candidate, states, actions, *units)
        rival = evaluate(self.incumbent, states, actions, *units) if self.incumbent else None
        self.proposed += 1
        against = objection(quality, rival, self.config)
        if not against:
            self.promoted += 1
            self.version += 1
            self.incumbent = candidate
            seconds = self.earlier_seconds + self.seconds
            known = quality.error, quality.one_step_r2, self._calibration(candidate)
            self.card = Card(self.spec.name, self.spec.layout_hash, self.version, seconds, *known)
        else:
            self.refused += 1
            if not np.isfinite(quality.error):  # it would never be anything else again
                self._train_from(self.incumbent or new_ensemble(self.config.ensemble, self.layout, self.config.seed))
        return Verdict(not against, self.card, quality, rival, loss, against)

    def held_out_error(self, model: Ensemble) -> float | None:
        """Of any model, as a candidate is judged; None as long as there is no data."""
        if not len(self.buffer.starts(self.config.train.rollout, False)):
            return None
        return evaluate(model, *self._held_out(), self.layout.scales, self.layout.noise).error

    def return_to(self, model: Ensemble | None, card: Card | None = None) -> None:
        """Another model is the incumbent again, and the candidate starts from it; None: from nothing."""
        self.incumbent, self.card = model, card
        if model is None:
            self.rounds = 0
        self._train_from(model or new_ensemble(self.config.ensemble, self.layout, self.config.seed))

    def progress(self) -> Progress:
        """Between two rounds: where a learner that has the same data goes on."""
        last = self.buffer.last
        counts = Counts(
            version=self.version,
            start_ns=last.start_ns if last else 0,
            sequence=last.sequence if last else -1,
            seconds=self.earlier_seconds + self.seconds,
            since_training=round((self.seconds - self._trained_at) / self.spec.dt),
            rounds=self.rounds,
        )
        trainer = self._trainer
        return Progress(counts, trainer.model, trainer.optimiser_state(), self._generator.bit_generator.state)

    def go_on(self, progress: Progress) -> None:
        """From there, with the data of then in the buffer; ModelRefused where it does not fit this learner."""
        counts, before = progress.counts, self._trainer
        if counts.version != self.version:
            raise ModelRefused(f"the progress of learning is that of version {counts.version}, not {self.version}")
        try:
            self._train_from(progress.candidate)
            self._trainer.set_optimiser_state(progress.optimiser)
            self._generator.bit_generator.state = progress.generator
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            self._trainer = before
            raise ModelRefused(f"the progress of learning is damaged: {error}") from error
        self.earlier_seconds = counts.seconds - self.seconds
        self._trained_at = (self.buffer.added - self._remembered - counts.since_training) * self.spec.dt
        self.rounds = counts.rounds

    def _errors(self, starts: np.ndarray) -> np.ndarray:
        """(E, N) of the candidate on the windows that begin there."""
        states, actions = self.buffer.sequences(starts, self.config.train.rollout)
        return self._trainer.errors(torch.from_numpy(states), torch.from_numpy(actions)).numpy()

    def _new_buffer(self) -> ReplayBuffer:
        """With nothing of this run in it: what was kept of earlier ones has targets by the time they were in force."""
        buffer = ReplayBuffer(self.config.capacity, self.layout.size, len(self.spec.actuated), self.spec.dt_ns)
        if self._keepsake is not None:
            buffer.begin_with(self._keepsake)
        return buffer

    def _train_from(self, model: Ensemble) -> None:
        train = self.config.train
        self._trainer = Trainer(copied(model), train.rate, train.weight_decay)

    def _renormalise(self) -> None:
        statistics = Normaliser.of_data(*self.buffer.everything(), feature_units(self.layout))
        self._trainer.replace_values(renormalise(self._trainer.model, statistics))

    def _calibration(self, model: Ensemble) -> Calibration | None:
        """By held-out data; as long as there is too little, the next version has to bring one."""
        return calibrated(model, *self.buffer.windows(STEPS, True, HELD_OUT_WINDOWS), self.layout.scales)

    def _held_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Windows that were never trained on; in the first seconds there may be none, then training windows serve."""
        for horizon in (HELD_OUT_HORIZON, self.config.train.rollout):
            for held_out in (True, False):
                windows = self.buffer.windows(horizon, held_out, HELD_OUT_WINDOWS)
                if len(windows[0]):
                    return windows
        raise ValueError("no transitions follow each other: nothing to judge a model on")


def copied(model):
    """A frozen copy of an Ensemble, or of another record of weights and biases, with tensors of its own."""
    return replace(
        model,
        weights=tuple(w.detach().clone() for w in model.weights),
        biases=tuple(b.detach().clone() for b in model.biases),
    )


def mirrored_half(layout: FeatureLayout, states: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right exchanged in the second half of the batch; states (E, B, K + 1, S), targets (E, B, K, A)."""
    half = states.shape[1] // 2
    permutation, signs = layout.mirror
    states[:, half:] = states[:, half:][..., permutation] * signs
    permutation, signs = mirror_actions(layout.spec)
    stance = layout.spec.stance.astype(np.float32)
    actions[:, half:] = ((actions[:, half:] - stance)[..., permutation]) * signs + stance
    return states, actions
