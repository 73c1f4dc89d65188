"""Models on disk: one that a run starts from, and the versions that a learner has promoted."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from mbrl_ros.config import ConfigError
from mbrl_ros.data import keepsake
from mbrl_ros.data.replay import ReplayBuffer
from mbrl_ros.data.whole_file import write_whole
from mbrl_ros.dynamics.calibration import STEPS, calibrated
from mbrl_ros.dynamics.storage import Card, ModelRefused, from_bytes, to_bytes
from mbrl_ros.kind_settings import ENSEMBLE
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.version_files import VersionFiles
from mbrl_ros.paths import model_file
from mbrl_ros.robots.features import FeatureLayout


def load_model(model: str, run: str, layout: FeatureLayout) -> tuple[Any, Card] | None:
    """`model` as in a run's settings; None for scratch. ModelRefused where the file does not fit the robot."""
    path = model_file(model, run)
    if path is None:
        return None
    found, card = from_bytes(path.read_bytes(), layout)
    return found, card if card.calibration else _calibrated_beside(path, found, card, layout)


def load_keepsake(model: str, run: str, layout: FeatureLayout) -> dict[str, np.ndarray] | None:
    """What the same model has learned from; None for scratch, and where nothing was kept."""
    path = model_file(model, run)
    return _beside(path, layout) if path else None


def save_model(learner: Learner, folder: Path, **more) -> Path:
    """Writes the weights, what they learned from, and card.json for people; each appears whole or not at all."""
    model, card = learner.incumbent, learner.card
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "model.safetensors", to_bytes(model, card))
    write_whole(folder / keepsake.FILE, keepsake.to_bytes(learner.buffer, card.layout))
    shape = {"ensemble": asdict(model.config)} if card.kind == ENSEMBLE else {}
    text = json.dumps({**asdict(card), **shape, **more}, indent=2)
    write_whole(folder / "card.json", (text + "\n").encode())
    return folder / "model.safetensors"


def _calibrated_beside(path: Path, model, card: Card, layout: FeatureLayout) -> Card:
    """By what the model has not learned from of the keepsake beside it: the file, and so its hash, stays as it is."""
    try:
        kept = _beside(path, layout)
    except ConfigError:
        return card  # whoever learns on from it is told
    if kept is None:
        return card
    spec = layout.spec
    buffer = ReplayBuffer(max(1, len(kept["run"])), layout.size, len(spec.actuated), spec.dt_ns)
    buffer.begin_with(kept)
    return replace(card, calibration=calibrated(model, *buffer.windows(STEPS, held_out=True), layout.scales))


def _beside(path: Path, layout: FeatureLayout) -> dict[str, np.ndarray] | None:
    return keepsake.beside(path, layout.spec.layout_hash, layout.size, len(layout.spec.actuated))


class Versions:
    """The promoted versions of one run, in a folder: a restarted learner goes on from the last good one."""

    def __init__(self, folder: Path, layout: FeatureLayout):
        self._folder, self._layout = folder, layout
        self._files = VersionFiles(folder, "version", ".safetensors")
        self.save, self.highest = self._files.save, self._files.highest
        self.refuse, self.refused, self.numbers = self._files.refuse, self._files.refused, self._files.numbers

    def save_keepsake(self, buffer: ReplayBuffer) -> None:
        """Some of what they have learned from: for all of them, since each goes on from the one before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._folder / keepsake.FILE, keepsake.to_bytes(buffer, self._layout.spec.layout_hash))

    def keepsake(self) -> dict[str, np.ndarray] | None:
        return _beside(self._folder / "any version", self._layout)

    def newest(self, refused: set[int] = frozenset()) -> tuple[Any, Card, bytes] | None:
        """The newest readable version that was not refused, and its bytes."""
        for content in self._files.newest_first():
            try:
                model, card = from_bytes(content, self._layout)
            except ModelRefused:
                continue  # cut off by a crash; the one before it is whole
            if card.version not in refused:
                return model, card, content
        return None
