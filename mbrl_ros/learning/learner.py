"""Learner: collects transitions, trains when data is due, promotes a model if held-out data does not object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mbrl_ros.data.replay import ReplayBuffer
from mbrl_ros.dynamics.calibration import STEPS, Calibration, calibrated
from mbrl_ros.dynamics.evaluation import HeldOut, evaluate
from mbrl_ros.dynamics.storage import Card, ModelRefused
from mbrl_ros.kind_settings import ENSEMBLE
from mbrl_ros.learning.candidate import Candidate
from mbrl_ros.learning.fitted_anew import FittedAnew
from mbrl_ros.learning.progress import Counts, Progress
from mbrl_ros.learning.promotion import objection
from mbrl_ros.learning.trained_on import TrainedOn
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.fit import check_goes_on, check_kind, check_turn
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
        model=None,
        card: Card | None = None,
        keepsake: dict[str, np.ndarray] | None = None,
    ):
        """`model` to go on from; `keepsake`, as data/keepsake.py reads it: some of what that has learned from."""
        self.spec, self.config = spec, config
        self.layout = FeatureLayout(spec)
        check_kind(config, spec)
        check_turn(config, spec)
        check_goes_on(config, card.kind if card else config.kind)
        self._keepsake = keepsake
        self.buffer = self._new_buffer()
        self._remembered = self.buffer.added
        self.incumbent = model
        self.version = card.version if card else 0
        self.earlier_seconds = card.seconds if card else 0.0  # of data behind the model that came with it
        self.proposed = self.promoted = self.refused = 0
        self.rounds = 0
        self.candidate: Candidate = (TrainedOn if config.kind == ENSEMBLE else FittedAnew)(self.layout, config)
        self.candidate.begin(model)
        self._generator = np.random.default_rng(config.seed)
        self._trained_at = 0.0  # seconds of data at the last round
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
        wait = self.candidate.wait(self._trained_at) if self._trained_at else self.config.first_seconds
        return self.seconds - self._trained_at >= wait - 1e-6

    def train(self) -> Iterator[float]:
        """One round, a loss at a time, so that the caller can look after other things in between."""
        first = self.rounds == 0 and self.incumbent is None
        self._trained_at = self.seconds
        if len(self.buffer.starts(self.config.train.rollout, held_out=False)) == 0:
            return
        self.rounds += 1
        other_units = not (self.rounds == 1 and self.incumbent is not None)
        yield from self.candidate.round(self.buffer, self._generator, first, other_units)

    def judge(self, loss: float = float("nan")) -> Verdict:
        """Promote the candidate unless it loses against the incumbent on held-out data."""
        candidate = self.candidate.finished()
        windows = self._held_out()
        quality = self._quality(candidate, windows)
        rival = self._quality(self.incumbent, windows) if self.incumbent else None
        self.proposed += 1
        against = objection(quality, rival, self.config)
        if not against:
            self.promoted += 1
            self.version += 1
            self.incumbent = candidate
            seconds = self.earlier_seconds + self.seconds
            known = quality.error, quality.one_step_r2, self._calibration(candidate)
            kind = self.config.kind, self.candidate.settings
            self.card = Card(self.spec.name, self.spec.layout_hash, self.version, seconds, *known, *kind)
        else:
            self.refused += 1
            if not np.isfinite(quality.error):  # it would never be anything else again
                self.candidate.begin(self.incumbent)
        return Verdict(not against, self.card, quality, rival, loss, against)

    def held_out_error(self, model) -> float | None:
        """Of any model, as a candidate is judged; None as long as there is no data."""
        if not len(self.buffer.starts(self.config.train.rollout, False)):
            return None
        return self._quality(model, self._held_out()).error

    def return_to(self, model, card: Card | None = None) -> None:
        """Another model is the incumbent again, and the candidate starts from it; None: from nothing."""
        self.incumbent, self.card = model, card
        if model is None:
            self.rounds = 0
        self.candidate.begin(model)

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
        return Progress(counts, *self.candidate.kept(), self._generator.bit_generator.state)

    def go_on(self, progress: Progress) -> None:
        """From there, with the data of then in the buffer; ModelRefused where it does not fit this learner."""
        counts, before = progress.counts, self._generator.bit_generator.state
        if counts.version != self.version:
            raise ModelRefused(f"the progress of learning is that of version {counts.version}, not {self.version}")
        try:
            self._generator.bit_generator.state = progress.generator
            self.candidate.go_on(progress.candidate, progress.optimiser)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            self._generator.bit_generator.state = before
            raise ModelRefused(f"the progress of learning is damaged: {error}") from error
        self.earlier_seconds = counts.seconds - self.seconds
        self._trained_at = (self.buffer.added - self._remembered - counts.since_training) * self.spec.dt
        self.rounds = counts.rounds

    def _new_buffer(self) -> ReplayBuffer:
        """With nothing of this run in it: what was kept of earlier ones has targets by the time they were in force."""
        buffer = ReplayBuffer(self.config.capacity, self.layout.size, len(self.spec.actuated), self.spec.dt_ns)
        if self._keepsake is not None:
            buffer.begin_with(self._keepsake)
        return buffer

    def _quality(self, model, windows: tuple[np.ndarray, np.ndarray]) -> HeldOut:
        """A model that draws draws the same each time: what is compared is not luck, nor what was drawn before."""
        if hasattr(model, "generator"):
            model.generator.manual_seed(self.config.seed)
        return evaluate(model, *windows, self.layout.scales, self.layout.noise)

    def _calibration(self, model) -> Calibration | None:
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
