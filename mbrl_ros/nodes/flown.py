"""Which version of something learned the planner flies: read in a thread, taken over between two ticks, given up where
it fails. The same for models and for policies.

The thread also brings what it reads into the form that planning runs, so that taking it over is an exchange of
references.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from mbrl_ros.config import VersionRefused
from mbrl_ros.control import realtime

GIVE_UP_AFTER = 5  # ticks in a row without a plan, by which time the guard holds stance
NOTHING = (None, 0)


class Flown:
    """Decides which one is flown, beginning with `first`.

    After each decision `tell` is called: with what went wrong, or with nothing where a new one is flown.
    """

    def __init__(
        self,
        kind: str,
        read: Callable[[bytes], tuple[object, int]],
        fly: Callable[[object, int], None],
        tell: Callable[[str], None],
        first: tuple[object, int] | None = None,
    ):
        """`read`: bytes -> what can be flown and its version, or VersionRefused; `fly`: from the next tick on, None: no
        more."""
        self.refused: dict[int, str] = {}  # versions that will never be flown again, and why
        self.swaps = 0
        self._kind, self._read, self._fly, self._tell = kind, read, fly, tell
        self._flown = first or NOTHING
        self._before = NOTHING  # what to go back to
        self._failures = 0  # ticks in a row without a plan
        self._loading: deque[Future] = deque()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix=kind)
        if first:
            fly(*first)

    @property
    def version(self) -> int:
        """0 where there is none."""
        return self._flown[1]

    @property
    def newest_known(self) -> int:
        """The highest version that is flown or refused: whoever waits for it waits no longer."""
        return max(self.version, *self.refused, 0)

    def offer(self, content: bytes) -> None:
        """One as it came: read beside the one that is flown."""
        self._loading.append(self._loader.submit(self._read_beside, content))

    def take(self, wait: bool = False) -> None:
        """Between two ticks: takes over what has been read, in the order in which it came; `wait`: what has come."""
        while self._loading and (wait or self._loading[0].done()):
            try:
                found, version = self._loading.popleft().result()
            except VersionRefused as refusal:
                if refusal.version is not None and refusal.version != self.version:
                    self.refused[refusal.version] = str(refusal)
                self._tell(f"refused a {self._kind}: {refusal}")
                continue
            if version not in self.refused and version != self.version:
                self._before = self._flown
                self._change_to(found, version)
                self._tell("")

    def planned(self) -> None:
        self._failures = 0

    def failed(self, reason: str) -> None:
        """A tick without a plan. The guard goes to stance; what has brought it there is not flown again."""
        self._failures += 1
        version = self.version
        if self._failures < GIVE_UP_AFTER or self._flown is NOTHING:
            return
        self.refused[version] = reason
        before, self._before = self._before, NOTHING
        self._change_to(*before)
        if before is NOTHING:
            self._tell(f"{self._kind} {version} is given up, and there is none to go back to: {reason}")
        else:
            self._tell(f"back from {self._kind} {version} to {before[1]}: {reason}")

    def close(self) -> None:
        self._loader.shutdown(wait=False, cancel_futures=True)
        self._loading.clear()

    def _read_beside(self, content: bytes) -> tuple[object, int]:
        realtime.step_back()
        return self._read(content)

    def _change_to(self, found, version: int) -> None:
        self._fly(found, version)
        self._flown = NOTHING if found is None else (found, version)
        self._failures = 0
        self.swaps += 1
