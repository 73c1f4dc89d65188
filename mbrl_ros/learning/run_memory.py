"""What a run leaves on disk, so that a learner that was killed goes on where it was: journal and progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mbrl_ros.data import journal
from mbrl_ros.data.inbox import Inbox
from mbrl_ros.data.journal_file import Contents, Entry, read
from mbrl_ros.data.transition_record import NotATransition, decoded
from mbrl_ros.data.whole_file import write_whole
from mbrl_ros.dynamics.storage import ModelRefused
from mbrl_ros.learner_settings import JournalConfig
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.progress import Progress, progress_bytes, progress_of
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.types import Transition

FILE = "progress.safetensors"


class RunMemory:
    """In the folder of a run; `warn(text)` hears of what cannot be read."""

    def __init__(
        self, folder: Path, layout: FeatureLayout, topic: str, config: JournalConfig, warn: Callable[[str], None]
    ):
        self._folder, self._layout, self._warn = folder, layout, warn
        self._robot = layout.spec.layout_hash
        self.journal = journal.Journal(folder, topic, self._robot, config.segment_mb, config.total_mb)

    def holds_anything(self) -> bool:
        return bool(journal.files(self._folder))

    def resume(self, learner: Learner, inbox: Inbox) -> list[Transition]:
        """Gives a new learner the data and the progress of this run, and begins to write.

        Returns the transitions that came after that progress was kept: to be taken as if they came now.
        """
        progress = self._progress()
        has_seen, later = _seen_by(progress), []
        for t in self._transitions(learner.config.capacity):
            if not inbox.accept(t):
                continue
            later.append(t)
            if has_seen(t):  # and so all that came before it
                for earlier in later:
                    learner.add(earlier)
                later = []
        if progress:
            try:
                learner.go_on(progress)
            except ModelRefused as refusal:
                self._warn(f"learning goes on with an optimiser that remembers nothing: {refusal}")
        self.journal.start()
        return later

    def add(self, message: bytes, t: Transition) -> None:
        """A transition and its serialised message, as it came; returns at once."""
        self.journal.add(Entry(message, t.sequence, time.time_ns(), t.stamp_ns))

    def keep_progress(self, learner: Learner) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._folder / FILE, progress_bytes(learner.progress(), self._layout))

    def close(self) -> None:
        self.journal.close()

    def _progress(self) -> Progress | None:
        path = self._folder / FILE
        if not path.is_file():
            return None
        try:
            return progress_of(path.read_bytes(), self._layout)
        except (ModelRefused, OSError) as error:
            self._warn(f"learning goes on with an optimiser that remembers nothing: {path}: {error}")
            return None

    def _transitions(self, most: int):
        """All that are whole; what a crash has torn is mended on the way, where the disk allows."""
        for path in journal.recent(self._folder, most):
            contents = self._read(path)
            if contents is None:
                continue
            refused = []
            for entry in contents.entries:
                try:
                    t = decoded(entry.content)
                except NotATransition as error:
                    refused.append(str(error))
                    continue
                if t.sizes == self._layout.transition_sizes:
                    yield t
            if refused:
                self._warn(f"{path}: {len(refused)} of its messages are no transitions, the first: {refused[0]}")

    def _read(self, path: Path) -> Contents | None:
        try:
            contents = read(path)
        except OSError as error:
            self._warn(f"{path} is not read: {error.strerror}")
            return None
        if contents.damage:
            self._warn(f"{path} is {contents.damage}; the file is left as it is")
        if contents.chunks and contents.layout != self._robot:
            self._warn(f"{path} is of another robot (layout {contents.layout}, not {self._robot})")
            return None
        if contents.chunks and contents.only_cut_off:
            try:
                journal.repair(path, contents)
            except OSError as error:
                self._warn(f"{path} was cut off, and is left so: {error.strerror}")
        return contents


def _seen_by(progress: Progress | None) -> Callable[[Transition], bool]:
    """Whether that progress has seen a transition: asked of each, in the order in which they came. Starts of planners
    need not be in that order, since clocks are set back."""
    if progress is None:
        return lambda t: True
    counts, met = progress.counts, False

    def has_seen(t: Transition) -> bool:
        nonlocal met
        met |= t.start_ns == counts.start_ns
        return (
            t.sequence <= counts.sequence if t.start_ns == counts.start_ns else not met and t.start_ns < counts.start_ns
        )

    return has_seen
