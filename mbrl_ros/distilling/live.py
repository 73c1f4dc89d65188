"""Distillation while the robot runs, on the time that training leaves.

Each round goes on from the one before it, but in the newest model and from where the robot has been by now, under its
policy if one drives it. The policy that comes of it is published if it earns more, in that model, than the one that was
published before, or with which the planner began: its rival. Plans listen to the rival, too, and where networks have
diverged, the next round begins with it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Set
from dataclasses import replace
from pathlib import Path

import torch

from mbrl_ros.config import ConfigError, read_yaml
from mbrl_ros.content import content_hash
from mbrl_ros.distilling.rounds import PATIENCE, Distiller, Round
from mbrl_ros.distilling.set_up import new_distiller, policy_card
from mbrl_ros.dynamics.storage import to_bytes
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.policies import for_robot
from mbrl_ros.learning.version_files import VersionFiles
from mbrl_ros.paths import PARAMETERS
from mbrl_ros.policies.card import PolicyRefused
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.robots.fit import check_distilling, policy_file
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.runs import parse_run
from mbrl_ros.settings import LearnerConfig, PlannerConfig

STATES = 100  # to begin from, at least
REMEMBERED = 16  # rounds: what was said in older ones is of older models


def planner_of(config: LearnerConfig) -> PlannerConfig:
    """The planner of the same run, whose plans are to be imitated. ConfigError where nobody has written it down."""
    check_distilling(config)
    path = Path(config.folder) / PARAMETERS
    if not config.folder or not path.is_file():
        raise ConfigError(
            f"learner.distill.live: no {path} says how the planner plans. Start the run with `mbrl up` or its launch "
            f"file, or put its parameter file there"
        )
    return parse_run(read_yaml(path), str(path), path.stem).planner


class LiveDistilling:
    """Rounds, a slice at a time; what was published is kept in the run's folder, so that a restart goes on from it."""

    def __init__(self, config: LearnerConfig, spec: RobotSpec, warn: Callable[[str], None] = lambda trouble: None):
        self._config, self._spec, self._warn = config.distill, spec, warn
        self._planner = replace(planner_of(config), threads=config.threads)
        self._files = VersionFiles(Path(config.folder), "policy", ".onnx")
        self._refused = self._files.refused()
        self._first = self._read(policy_file(self._planner, ""))
        self._published = self._newest_kept()
        known = [found[0].card.version for found in (self._first, self._published) if found]
        self.version = max(self._files.highest(), *known, 0)  # newest there ever was
        self.rounds = 0
        self.last: Round | None = None
        self._round: Generator[object, None, bytes | None] | None = None
        self._distiller: Distiller | None = None
        self._model = None  # that the newest round was played in
        self._in_vain = 0  # rounds in a row without a better policy

    @property
    def kept(self) -> bytes | None:
        """The newest policy that an earlier start of this learner has published."""
        return self._published[1] if self._published else None

    def waits(self, learner: Learner) -> bool:
        """Whether there is nothing to be learned before there are more data or another model."""
        if self._round is not None:
            return False
        if learner.incumbent is None or len(learner.buffer) < STATES:
            return True
        return self._in_vain >= PATIENCE and learner.incumbent is self._model

    def step(self, learner: Learner) -> bytes | None:
        """One slice of a round; a policy to be published, where it ends with one."""
        if self._round is None:
            self._round = self._play(learner)
        try:
            next(self._round)
        except StopIteration as end:
            self._round = None
            return end.value
        return None

    def keep(self, content: bytes) -> None:
        self._files.save(self.version, content)

    def refuse(self, versions: Set[int]) -> bytes | None:
        """These are not flown, nor to be beaten. Where the one published last is among them: what is to be published in
        its place, the last good one."""
        mine = self._files.numbers() | ({self._first[0].card.version} if self._first else set())
        self._write_down(versions & mine)
        self._refused |= versions
        before = self._rival
        if self._first and self._first[0].card.version in self._refused:
            self._first = None
        if self._published and self._published[0].card.version in self._refused:
            self._published = self._newest_kept()
        if self._rival is before:
            return None
        self._in_vain = 0
        return self._rival[1] if self._rival else None

    def _write_down(self, versions: Set[int]) -> None:
        """So that a learner that starts again knows it, too."""
        for version in sorted(versions):
            try:
                self._files.refuse(version)
            except OSError as error:
                self._warn(f"that policy {version} was refused is forgotten at the next start: {error}")

    @property
    def _rival(self) -> tuple[OnnxPolicy, bytes] | None:
        """Which is to be beaten."""
        return self._published or self._first

    def _play(self, learner: Learner) -> Generator[object, None, bytes | None]:
        """One round, a slice at a time; returns a better policy's bytes."""
        model, card = learner.incumbent, learner.card
        distiller = self._distiller = self._begun(learner)
        yield from distiller.round()
        self.rounds, self.last, self._model = self.rounds + 1, distiller.rounds[-1], model
        self._in_vain += 1
        yield
        if distiller.diverged:
            return self._begin_anew("its networks diverged")
        rival = self._rival
        to_beat = (yield from distiller.earned(rival[0].policy)) if rival else -torch.inf
        if not self.last.reward > to_beat:
            return None
        yield
        hashed = content_hash(to_bytes(model, card))
        about = policy_card(self._planner, self._config, self._spec, card.version, hashed, self.version + 1)
        content = distiller.artefact(about)
        yield
        try:
            self._published = self._loaded(content), content
        except PolicyRefused as refusal:
            return self._begin_anew(str(refusal))
        self.version += 1
        self._in_vain = 0
        return content

    def _begin_anew(self, trouble: str) -> None:
        self._distiller = None
        self._warn(f"round {self.rounds} of distillation is thrown away, and the next one begins anew: {trouble}")

    def _begun(self, learner: Learner) -> Distiller:
        """With other luck each time: else all rounds were from the same states, to the same commands."""
        starts = torch.from_numpy(learner.buffer.everything()[0])
        lucky = replace(self._planner, seed=self._planner.seed + self.rounds)
        before, rival = self._distiller, self._rival[0] if self._rival else None
        known = (rival.policy, rival.value) if rival and before is None else None
        distiller = new_distiller(lucky, self._config, self._spec, learner.incumbent, starts, known)
        if before is not None:
            distiller.take_over(before, REMEMBERED * self._config.steps)
        elif rival:
            distiller.has_seen(rival.card)
        if rival:
            distiller.best, distiller.best_value = rival.policy, rival.value
        return distiller

    def _newest_kept(self) -> tuple[OnnxPolicy, bytes] | None:
        for content in self._files.newest_first():
            try:
                policy = self._loaded(content)
            except PolicyRefused:
                continue  # cut off by a crash; the one before it is whole
            if policy.card.version not in self._refused:
                return policy, content
        return None

    def _read(self, path: Path | None) -> tuple[OnnxPolicy, bytes] | None:
        """With which the planner begins; None where it has none, or one that it leaves alone or has refused."""
        if path is None or not path.is_file():
            return None
        content = path.read_bytes()
        try:
            policy = self._loaded(content)
        except PolicyRefused:
            return None
        return None if policy.card.version in self._refused else (policy, content)

    def _loaded(self, content: bytes) -> OnnxPolicy:
        return for_robot(content, self._spec, self._planner)
