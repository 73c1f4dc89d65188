"""A ring of transitions that knows which follow each other, so that sequences never bridge a gap."""

from __future__ import annotations

import numpy as np

from mbrl_ros.types import Transition

CHUNK = 40  # transitions that are held out, or resampled, together
HELD_OUT = 10  # every so many chunks one is held out


class ReplayBuffer:
    """The newest `capacity` transitions."""

    def __init__(self, capacity: int, state_size: int, action_size: int, dt_ns: int):
        self.capacity = capacity
        self._dt_ns = dt_ns
        self._states = np.zeros((0, state_size), np.float32)
        self._actions = np.zeros((0, action_size), np.float32)
        self._next = np.zeros((0, state_size), np.float32)
        self._run = np.zeros(0, np.int64)  # how many transitions up to this one follow each other
        self._number = np.zeros(0, np.int64)  # of the transition since the beginning: its chunk never changes
        self.added = 0
        self._last_stamp_ns: int | None = None

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
        follows = (
            self._last_stamp_ns is not None and abs(t.stamp_ns - self._last_stamp_ns - self._dt_ns) < self._dt_ns // 2
        )
        self._run[i] = self._run[i - 1] + 1 if follows else 1
        self._states[i], self._actions[i], self._next[i] = t.state, t.action, t.next_state
        self._number[i] = self.added
        self._last_stamp_ns = t.stamp_ns
        self.added += 1

    def starts(self, steps: int, held_out: bool) -> np.ndarray:
        """Indices where `steps` transitions follow each other within held-out (or within training) chunks only."""
        size = len(self)
        if size < steps:
            return np.zeros(0, np.int64)
        ends = np.arange(self.added - size + steps - 1, self.added)
        slots = ends % self.capacity
        first = ends - steps + 1
        whole = self._run[slots] >= steps
        probes = np.append(np.arange(0, steps, CHUNK), steps - 1)  # at least one in each chunk that it touches
        inside = (is_held_out(first[:, None] + probes) == held_out).all(1)
        return first[whole & inside] % self.capacity

    def sequences(self, starts: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """States (..., steps + 1, S) and actions (..., steps, A) from the given starts (...)."""
        slots = (starts[..., None] + np.arange(steps)) % self.capacity
        states = np.concatenate([self._states[slots], self._next[slots[..., -1:]]], -2)
        return states, self._actions[slots]

    def chunk(self, slots: np.ndarray) -> np.ndarray:
        """Which chunk each slot's transition belongs to."""
        return self._number[slots] // CHUNK

    def everything(self) -> tuple[np.ndarray, np.ndarray]:
        """States (B, S) and next states (B, S) of all training transitions."""
        slots = np.arange(self.added - len(self), self.added)
        slots = slots[~is_held_out(slots)] % self.capacity
        return self._states[slots], self._next[slots]

    def _grow(self, size: int) -> None:
        for name in ("_states", "_actions", "_next", "_run", "_number"):
            old = getattr(self, name)
            new = np.zeros((size, *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)


def is_held_out(number: np.ndarray) -> np.ndarray:
    """Whether a transition, by its number since the beginning, is kept for judging."""
    return (number // CHUNK) % HELD_OUT == HELD_OUT // 2


def resampled(buffer: ReplayBuffer, starts: np.ndarray, members: int, seed: int) -> list[np.ndarray]:
    """For each member its own bootstrap of the starts: every chunk counts Poisson(1) times, the same for a seed."""
    chunks = buffer.chunk(starts)
    known, inverse = np.unique(chunks, return_inverse=True)
    counts = np.stack([np.random.default_rng((seed, int(c))).poisson(1.0, members) for c in known])
    own = [np.repeat(starts, counts[inverse, e]) for e in range(members)]
    return [o if len(o) else starts for o in own]
