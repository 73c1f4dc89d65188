"""What a learner knows of its versions: which it goes on from, which the planner may be flying, which were refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mbrl_ros.data.replay import ReplayBuffer
from mbrl_ros.dynamics.storage import Card, to_bytes
from mbrl_ros.learning.beginning import Kept, begin_well
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.models import Versions
from mbrl_ros.robots.features import FeatureLayout

KEEPSAKE_EVERY = 10  # versions: a megabyte for twelve joints


class RunVersions:
    """Of one run: those in its folder, where it has one, and the model that it starts with.

    What was refused is never gone on from nor published again, also by a learner that starts again.
    """

    def __init__(
        self, folder: str, layout: FeatureLayout, first: tuple[Any, Card] | None, error: Callable[[str], None]
    ):
        """`first`: the model of the start; `error(text)` hears of what a disk does not take."""
        self._error = error
        self._versions = Versions(Path(folder), layout) if folder else None
        self._refused = self._versions.refused() if self._versions else set()
        self._first = first if first and first[1].version not in self._refused else None
        self.kept: Kept | None = self._versions.newest() if self._versions else None  # of this run, gone on from
        # All that ever lay in the folder may have been published, by whichever start of this learner.
        self._offered = self._versions.numbers() if self._versions else set()
        self._offered |= {card.version for _, card in [self._first or (None, None)] if card}

    @property
    def newest(self) -> tuple[Any, Card] | tuple[None, None]:
        """What a learner goes on from."""
        return self.kept[:2] if self.kept else self._first or (None, None)

    def number(self, learner: Learner) -> None:
        """Numbers are never used again."""
        if self._versions:
            learner.version = max(learner.version, self._versions.highest())

    def keepsake(self) -> dict[str, np.ndarray] | None:
        return self._versions.keepsake() if self.kept else None

    def begin(self, learner: Learner) -> dict[int, str]:
        """By the data that it has now, `learner` goes on from the newest that is good; those that are not, and why."""
        if self.kept is None:
            return {}
        self.kept, wrong = begin_well(learner, self._versions, self._first)
        self._write_down(set(wrong))
        return wrong

    def promoted(self, card: Card, model, content: bytes, buffer: ReplayBuffer) -> None:
        """It is about to be published."""
        self._offered.add(card.version)
        self.kept = model, card, content
        if self._versions is None:
            return
        try:
            self._versions.save(card.version, content)
            if card.version % KEEPSAKE_EVERY == 0:
                self._versions.save_keepsake(buffer)
        except OSError as error:
            self._error(f"model {card.version} is not kept on disk: {error}")

    def refuse(self, said: set[int], learner: Learner) -> tuple[set[int], Kept | None] | None:
        """The planner says that it has refused these. Where some are ours and were not known: those, and the last good
        one, from which `learner` goes on; None: there is none, and it learns anew."""
        ours = (said & self._offered) - self._refused
        if not ours:
            return None
        self._write_down(ours)
        good = self.last_good()
        learner.return_to(*(good[:2] if good else (None, None)))
        if self.kept and self.kept[1].version in ours:
            self.kept = good
        return ours, good

    def last_good(self) -> Kept | None:
        """The newest version that was not refused: of this run, else the one that it started with."""
        found = [self._versions.newest(self._refused)] if self._versions else []
        found += [self.kept, (*self._first, to_bytes(*self._first)) if self._first else None]
        good = [one for one in found if one is not None and one[1].version not in self._refused]
        return max(good, key=lambda one: one[1].version, default=None)

    def _write_down(self, versions: set[int]) -> None:
        self._refused |= versions
        for version in sorted(versions) if self._versions else ():
            try:
                self._versions.refuse(version)
            except OSError as error:
                self._error(f"that model {version} was refused is forgotten at the next start: {error}")
