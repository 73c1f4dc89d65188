"""The journal: transitions go to disk as they come, so that a crash loses none that is older than a second.

Files journal_000001.mcap and so on in the folder of a run; the oldest go where they become too much together. A thread
of its own writes, so whoever adds waits for no disk:

    every FLUSH seconds   what came since is one chunk and one write: from then on it outlives the process (SIGKILL)
    every SYNC seconds    fsync, beside the writing: from then on it outlives a power cut
    after an error        a full disk, say: kept in memory, MOST_WAITING at most, and tried again every RETRY seconds

After an error, and after each start, the journal goes on in a new file: a file only ever grows, and what is whole in it
stays whole.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mbrl_ros.data.journal_file import Contents, Entry, JournalFile, count, unwritable
from mbrl_ros.data.numbered_files import NumberedFiles
from mbrl_ros.data.whole_file import sync_folder, written_whole

FLUSH = 0.2  # s
SYNC = 1.0  # s
RETRY = 3.0  # s
PIECE = 200  # transitions in a chunk at most, so that of a backlog is written what there is room for
MOST_WAITING = 15_000  # transitions: five minutes at 50 Hz, 15 MB for twelve joints
MEGABYTE = 1_000_000


def new_file(path: Path):
    return open(path, "xb", buffering=0)


def files(folder: Path) -> list[Path]:
    """The journal's files, the oldest first."""
    return _segments(folder).paths()


def _segments(folder: Path) -> NumberedFiles:
    return NumberedFiles(folder, "journal", ".mcap")


class Journal:
    """Takes transitions from one thread and writes them in another, from `start` to `close`."""

    def __init__(
        self,
        folder: Path,
        topic: str,
        layout: str,
        segment_mb: float,
        total_mb: float,
        open_file: Callable = new_file,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`layout`: RobotSpec.layout_hash, which every file carries."""
        self._segments, self._folder, self._topic, self._layout = _segments(folder), folder, topic, layout
        self._segment, self._total = segment_mb * MEGABYTE, total_mb * MEGABYTE
        self._open_file, self._clock = open_file, clock
        self._waiting: deque[Entry] = deque()
        self._held: list[Entry] = []  # taken from there, not on disk yet
        self._path: Path | None = None
        self._raw = self._file = None
        self._number = self._segments.highest()
        self._syncs: deque[Future] = deque()
        self._synced_at = clock()
        self._retry_at = 0.0
        self._writing = threading.Lock()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._syncing = ThreadPoolExecutor(1, "journal_sync")
        self.error: str | None = None  # why nothing is written now
        self.written = 0  # transitions that outlive this process
        self.longest_write = 0.0  # s
        self._overflowed = self._forgotten = self.left_out = 0
        self.objection = ""  # why the last one of those was left out that no file can hold

    @property
    def in_memory(self) -> int:
        """Transitions that only this process has."""
        return len(self._waiting) + len(self._held)

    @property
    def lost(self) -> int:
        """Transitions that neither disk nor memory has any more."""
        return self._overflowed + self._forgotten + self.left_out

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Nothing is written by itself any more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def add(self, entry: Entry) -> None:
        """Returns at once."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(entry)
        else:
            self._overflowed += 1

    def flush(self) -> None:
        """What the thread does every FLUSH seconds."""
        with self._writing:
            while self._waiting:
                self._hold(self._waiting.popleft())
            if self.error and self._clock() < self._retry_at:
                self._forget_too_many()
                return
            try:
                self._write()
                self._write_through()
            except OSError as error:
                self._fail(error)

    def close(self) -> None:
        """All that waits is written, and the file ended; where that fails, the file stays readable without an end."""
        self.stop()
        self._retry_at = 0.0
        self.flush()
        with self._writing:
            try:
                self._end_file()
                self._syncing.shutdown()
                self._check_syncs()
            except OSError as error:
                self._fail(error)

    def _run(self) -> None:
        try:
            while not self._ending.wait(FLUSH):
                self.flush()
        finally:
            if not self._ending.is_set():
                self.error = "the thread that writes has died"

    def _hold(self, entry: Entry) -> None:
        """One that no file can hold must not keep the others from it."""
        if why := unwritable(entry):
            self.left_out, self.objection = self.left_out + 1, why
        else:
            self._held.append(entry)

    def _write(self) -> None:
        while self._held:
            began, piece = self._clock(), self._held[:PIECE]
            if self._file is not None and self._file.size >= self._segment:
                self._end_file()
            if self._file is None:
                self._begin_file()
            self._file.append(piece)
            self.written += len(piece)
            del self._held[: len(piece)]
            self.error = None
            self.longest_write = max(self.longest_write, self._clock() - began)

    def _write_through(self) -> None:
        """To the disk itself, in a third thread: a slow disk must not keep what comes meanwhile from the kernel."""
        self._check_syncs()
        if self._raw is not None and not self._syncs and self._clock() - self._synced_at >= SYNC:
            self._begin_sync()

    def _begin_sync(self) -> None:
        self._synced_at = self._clock()
        self._syncs.append(self._syncing.submit(_synced, os.dup(self._raw.fileno()), self._folder))

    def _check_syncs(self) -> None:
        while self._syncs and self._syncs[0].done():
            self._syncs.popleft().result()

    def _begin_file(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._number += 1
        path = self._segments.path(self._number)
        self._raw, self._path = self._open_file(path), path
        self._file = JournalFile(self._raw, self._topic, self._layout)
        self._remove_oldest()

    def _end_file(self) -> None:
        if self._file is None:
            return
        self._file.end()
        self._begin_sync()
        self._leave_file()

    def _leave_file(self) -> None:
        raw, self._raw, self._file = self._raw, None, None
        if raw is not None:
            raw.close()

    def _remove_oldest(self) -> None:
        """So that all of them, with the one that is begun, are within the limit."""
        sizes = {path: path.stat().st_size for path in self._segments.paths() if path != self._path}
        excess = sum(sizes.values()) + self._segment - self._total
        for path, size in sizes.items():
            if excess <= 0:
                return
            path.unlink()
            excess -= size

    def _fail(self, error: OSError) -> None:
        self.error = error.strerror or str(error)
        self._retry_at = self._clock() + RETRY
        self._forget_too_many()
        file, raw, path = self._file, self._raw, self._path
        try:
            if file is not None and file.size == 0:
                path.unlink()  # nothing whole in it
            elif file is not None:
                raw.truncate(file.size)
            self._leave_file()
        except OSError:  # what is torn is told from what is whole when it is read
            self._raw = self._file = None

    def _forget_too_many(self) -> None:
        excess = max(0, len(self._held) - MOST_WAITING)
        self._forgotten += excess
        del self._held[:excess]


def _synced(file: int, folder: Path) -> None:
    """The file and its name in the folder."""
    try:
        os.fsync(file)
        sync_folder(folder)
    finally:
        os.close(file)


def recent(folder: Path, most: int) -> list[Path]:
    """The newest files that hold `most` transitions between them, the oldest first."""
    chosen, found = [], 0
    for path in reversed(files(folder)):
        if found >= most:
            break
        chosen.append(path)
        found += count(path)
    return chosen[::-1]


def repair(path: Path, contents: Contents) -> None:
    """Ends a file that a crash has cut off, with what was whole in it."""
    with written_whole(path) as raw:
        whole = JournalFile(raw, contents.topic, contents.layout)
        for chunk in contents.chunks:
            whole.append(chunk)
        whole.end()
