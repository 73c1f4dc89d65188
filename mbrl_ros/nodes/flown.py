"""Which version of something learned the planner flies: read in a thread, taken over between two ticks, given up where
it fails. The same for models and for policies.

The thread also brings what it reads into the form that planning runs, so that taking it over is an exchange of
references.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from mbrl_ros.config import VersionRefused
from mbrl_ros.control import realtime
from mbrl_ros.nodes.refusals import MOST_LETTERS

GIVE_UP_AFTER = 5  # ticks in a row without a plan, by which time the guard holds stance

# What others send must not grow in here without end, nor in what is told of it.
MOST_REFUSED = 20  # newest; one that is forgotten may come again, and is judged again
MOST_WAITING = 2  # newest, beside the one that is being read


@dataclass(frozen=True)
class Version:
    """One that can be flown. Two of the same identity are the same: a learner numbers its models and never twice, but
    every policy of a `mbrl distill` is number 1."""

    found: Any
    number: int
    identity: Hashable


NOTHING = Version(None, 0, None)


class Flown:
    """Decides which one is flown, beginning with `first`.

    After each decision `tell` is called: with what went wrong, or with nothing where a new one is flown. `note` hears
    of what came and changes nothing, since topics repeat what is known.
    """

    def __init__(
        self,
        kind: str,
        read: Callable[[bytes], Version],
        fly: Callable[[Any, int], None],
        tell: Callable[[str], None],
        note: Callable[[str], None],
        first: Version | None = None,
        objection: Callable[[Version, Version], str] = lambda new, flown: "",
    ):
        """`read`: what can be flown, or VersionRefused; `fly`: from the next tick on, None: no more.

        `objection`: why one is not to be flown in place of the flown one; empty: nothing.
        """
        self.refused: dict[int, str] = {}  # newest of each number that is not flown, and why
        self.swaps = 0
        self.only_newer = False  # where offers are signed: an old one may be somebody's who has kept it
        self._kind, self._read, self._fly, self._tell, self._note = kind, read, fly, tell, note
        self._objection = objection
        self._never: dict[Hashable, str] = {}  # identities that will not be flown again, and why
        self.flown = first or NOTHING
        self.before = NOTHING  # what to go back to
        self._failures = 0  # ticks in a row without a plan
        self._newest_refused = 0  # number, forgotten or not
        self._loading: deque[Future] = deque()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix=kind)
        if first:
            fly(first.found, first.number)

    @property
    def version(self) -> int:
        """0 where there is none."""
        return self.flown.number

    @property
    def newest_known(self) -> int:
        """The highest version that is flown or refused: whoever waits for it waits no longer."""
        return max(self.version, self._newest_refused)

    def offer(self, content: bytes | Callable[[], bytes]) -> None:
        """One as it came, or how to open it: read beside the one that is flown. Of many, the oldest make room."""
        self._loading.append(self._loader.submit(self._read_beside, content))
        while len(self._loading) > MOST_WAITING + 1:
            self._loading.popleft().cancel()
            self._note(f"passed over a {self._kind}: newer ones wait")

    def take(self, wait: bool = False) -> None:
        """Between two ticks: takes over what has been read, in the order in which it came; `wait`: what has come."""
        while self._loading and (wait or self._loading[0].done()):
            try:
                new = self._loading.popleft().result()
            except VersionRefused as refusal:
                if refusal.version is not None and refusal.version != self.version:
                    self._refuse(refusal.version, refusal.version, str(refusal))  # of a model, this is its identity
                self._tell(f"refused a {self._kind}: {_short(str(refusal))}")
                continue
            if new.identity == self.flown.identity:
                self._note(f"ignored {self._kind} {new.number}: it is the one that is flown")
            elif self.only_newer and new.number < self.version:
                self._tell(f"refused a {self._kind}: {new.number} is older than {self.version}, which is flown")
            elif new.identity in self._never:
                self._note(f"ignored {self._kind} {new.number}: {self._never[new.identity]}")
            elif self.flown is not NOTHING and (why := self._objection(new, self.flown)):
                self._refuse(new.number, new.identity, why)
                self._tell(f"refused {self._kind} {new.number}: {why}")
            else:
                self.refused.pop(new.number, None)  # that was another one
                self.before = self.flown
                self._change_to(new)
                self._tell("")

    def planned(self) -> None:
        self._failures = 0

    def failed(self, reason: str) -> None:
        """A tick without a plan. The guard goes to stance; what has brought it there is not flown again."""
        self._failures += 1
        if self._failures >= GIVE_UP_AFTER and self.flown is not NOTHING:
            self.give_up(reason)

    def give_up(self, reason: str) -> None:
        """Back to the one before, and never forward to this one again."""
        given_up = self.flown
        self._refuse(given_up.number, given_up.identity, reason)
        before, self.before = self.before, NOTHING
        self._change_to(before)
        what = f"{self._kind} {given_up.number}"
        if before is NOTHING:
            self._tell(f"{what} is given up, and there is none to go back to: {reason}")
        else:
            self._tell(f"back from {what} to {before.number}: {reason}")

    def close(self) -> None:
        self._loader.shutdown(wait=False, cancel_futures=True)
        self._loading.clear()

    def _read_beside(self, content: bytes | Callable[[], bytes]) -> Version:
        realtime.step_back()
        return self._read(content() if callable(content) else content)

    def _refuse(self, number: int, identity: Hashable, why: str) -> None:
        self._newest_refused = max(self._newest_refused, number)
        for known, key in ((self.refused, number), (self._never, identity)):
            known.pop(key, None)
            known[key] = _short(why)
            while len(known) > MOST_REFUSED:
                del known[next(iter(known))]

    def _change_to(self, version: Version) -> None:
        self._fly(version.found, version.number)
        self.flown = version
        self._failures = 0
        self.swaps += 1


def _short(why: str) -> str:
    return why if len(why) <= MOST_LETTERS else why[:MOST_LETTERS] + " ..."
