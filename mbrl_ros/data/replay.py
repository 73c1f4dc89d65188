"""A ring of transitions that knows which follow each other, so that sequences never bridge a gap.

Which are held out is decided by the number that a transition brings along, its planner's sequence: whoever gets it
again after a restart, and from whichever one on, holds out the same.
"""

from __future__ import annotations

import numpy as np

from mbrl_ros.types import Transition

CHUNK = 40  # transitions that are held out, or resampled, together
HELD_OUT = 10  # every so many chunks one is held out
COLUMNS = ("states", "actions", "next", "run", "sequence")
OUTCOMES = ("rewards", "ends")  # in no keepsake


class ReplayBuffer:
    """The newest `capacity` transitions."""

    def __init__(self, capacity: int, state_size: int, action_size: int, dt_ns: int):
        self.capacity = capacity
        self._dt_ns = dt_ns
        self._states = np.zeros((0, state_size), np.float32)
        self._actions = np.zeros((0, action_size), np.float32)
        self._next = np.zeros((0, state_size), np.float32)
        self._run = np.zeros(0, np.int64)  # how many transitions up to this one follow each other
        self._sequence = np.zeros(0, np.int64)  # its planner's number for it
        self._rewards = np.zeros(0, np.float32)  # NaN where nobody has said it
        self._ends = np.zeros(0, bool)
        self.added = 0
        self.last: Transition | None = None  # the newest that was added

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    @property
    def seconds(self) -> float:
        return len(self) * self._dt_ns * 1e-9

    def add(self, t: Transition) -> None:
        """Non-finite transitions are an error: they must have been refused before."""
        if not (np.isfinite(t.state).all() and np.isfinite(t.action).all() and np.isfinite(t.next_state).all()):
            raise ValueError(f"transition {t.sequence} is not finite")
        if self.added == len(self._run) < self.capacity:
            self._grow(min(self.capacity, max(1024, 2 * self.added)))
        i = self.added % self.capacity
        self._run[i] = self._run[i - 1] + 1 if self._follows(t) else 1
        self._states[i], self._actions[i], self._next[i] = t.state, t.action, t.next_state
        self._sequence[i] = t.sequence
        self._rewards[i], self._ends[i] = t.reward, t.terminal
        self.last = t
        self.added += 1

    def pieces(self, most: int) -> dict[str, np.ndarray]:
        """At most so many transitions: whole chunks spread evenly over all there are, the oldest first."""
        slots = np.arange(self.added - len(self), self.added) % self.capacity
        if len(slots) > most:
            number = np.cumsum(np.diff(self.chunk(slots), prepend=-1) != 0) - 1  # of the chunk, counted from the oldest
            chosen = np.linspace(0, number[-1], most // CHUNK).round()
            slots = slots[np.isin(number, chosen)][:most]
        run = np.ones(len(slots), np.int64)
        for i in range(1, len(slots)):
            if slots[i] == (slots[i - 1] + 1) % self.capacity and self._run[slots[i]] > 1:
                run[i] = run[i - 1] + 1
        return {name: getattr(self, f"_{name}")[slots] for name in COLUMNS} | {"run": run}

    def begin_with(self, columns: dict[str, np.ndarray]) -> None:
        """Pieces of another buffer, before anything is added to this one."""
        if self.added:
            raise ValueError("what a buffer begins with comes before what is added")
        for name in COLUMNS:
            setattr(self, f"_{name}", columns[name][-self.capacity :].copy())
        self.added = len(self._run)
        self._rewards, self._ends = np.full(self.added, np.nan, np.float32), np.zeros(self.added, bool)

    def _follows(self, t: Transition) -> bool:
        """Whether it is the next one of the same planner, one step later."""
        last = self.last
        if last is None or (t.start_ns, t.sequence) != (last.start_ns, last.sequence + 1):
            return False
        return abs(t.stamp_ns - last.stamp_ns - self._dt_ns) < self._dt_ns // 2

    def starts(self, steps: int, held_out: bool) -> np.ndarray:
        """Indices where `steps` transitions follow each other within held-out (or within training) chunks only."""
        size = len(self)
        if size < steps:
            return np.zeros(0, np.int64)
        ends = np.arange(self.added - size + steps - 1, self.added)
        first = (ends - steps + 1) % self.capacity
        whole = self._run[ends % self.capacity] >= steps
        probes = np.append(np.arange(0, steps, CHUNK), steps - 1)  # at least one in each chunk that it touches
        inside = (is_held_out(self._sequence[first][:, None] + probes) == held_out).all(1)
        return first[whole & inside]

    def sequences(self, starts: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """States (..., steps + 1, S) and actions (..., steps, A) from the given starts (...)."""
        slots = (starts[..., None] + np.arange(steps)) % self.capacity
        states = np.concatenate([self._states[slots], self._next[slots[..., -1:]]], -2)
        return states, self._actions[slots]

    def windows(self, steps: int, held_out: bool, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """All sequences of that kind; about so many at `most`, spread over them."""
        starts = self.starts(steps, held_out)
        every = max(1, len(starts) // most) if most else 1
        return self.sequences(starts[::every], steps)

    def chunk(self, slots: np.ndarray) -> np.ndarray:
        """Which chunk each slot's transition belongs to; those of several planners share their numbers."""
        return self._sequence[slots] // CHUNK

    def everything(self) -> tuple[np.ndarray, np.ndarray]:
        """States (B, S) and next states (B, S) of all training transitions."""
        slots = self._training()
        return self._states[slots], self._next[slots]

    def outcomes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Next states (B, S) of training transitions, what each has earned (B,), and whether it was the end (B,) bool.

        What a buffer has begun with is not among them: a keepsake does not say it.
        """
        slots = self._training()
        slots = slots[np.isfinite(self._rewards[slots])]
        return self._next[slots], self._rewards[slots], self._ends[slots]

    def _training(self) -> np.ndarray:
        """(B,) slots, the oldest first."""
        slots = np.arange(self.added - len(self), self.added) % self.capacity
        return slots[~is_held_out(self._sequence[slots])]

    def _grow(self, size: int) -> None:
        for name in COLUMNS + OUTCOMES:
            old = getattr(self, f"_{name}")
            new = np.zeros((size, *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, f"_{name}", new)


def is_held_out(sequence: np.ndarray) -> np.ndarray:
    """Whether a transition, by its planner's number for it, is kept for judging."""
    return (sequence // CHUNK) % HELD_OUT == HELD_OUT // 2


def resampled(buffer: ReplayBuffer, starts: np.ndarray, members: int, seed: int) -> list[np.ndarray]:
    """For each member its own bootstrap of the starts: every chunk counts Poisson(1) times, the same for a seed."""
    chunks = buffer.chunk(starts)
    known, inverse = np.unique(chunks, return_inverse=True)
    counts = np.stack([np.random.default_rng((seed, int(c))).poisson(1.0, members) for c in known])
    own = [np.repeat(starts, counts[inverse, e]) for e in range(members)]
    return [o if len(o) else starts for o in own]
