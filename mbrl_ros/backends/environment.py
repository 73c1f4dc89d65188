"""An environment: what can be stepped in-process beside robots, where all that is known of a state is a row of numbers.

A robot has joints, limits and gains, and a Backend that drives them. An environment has none of these: an observation
comes, an action goes, and the environment says what the step was worth. EnvironmentSpec and EnvironmentLayout offer
what models, buffers and searches ask of a robot's spec and layout, under the same names, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from mbrl_ros.types import NS, Flag, Transition

GAP_STEPS = 2  # of time that a reset takes, so that nobody takes the states before and after it for a step


@dataclass(frozen=True, eq=False)
class EnvironmentSpec:
    """Sizes, bounds and times of an environment."""

    name: str
    observation_names: tuple[str, ...]  # (S,)
    scales: np.ndarray  # (S,) one unit of each number of the observation, as far as that is known: else 1
    bounds: np.ndarray  # (2, A) lowest and highest action, finite
    dt: float  # s of one step
    episode_steps: int  # after which it is reset at the latest
    primitives = ()  # of motions by number it has none

    def __post_init__(self):
        low, high = self.bounds
        if not (np.isfinite(self.bounds).all() and (low < high).all()):
            raise ValueError(f"{self.name}: actions need finite bounds, low below high; got {low} and {high}")
        if not self.dt > 0:
            raise ValueError(f"{self.name}: a step of {self.dt} s must be above 0")

    @cached_property
    def posture(self) -> np.ndarray:
        """(A,) the middle of the bounds: the zero of a model's input and of a plan's decisions."""
        return self.bounds.mean(0)

    @cached_property
    def action_scale(self) -> np.ndarray:
        """(A,) from the middle to a bound: one unit of a model's input and of a plan's decisions."""
        return (self.bounds[1] - self.bounds[0]) / 2

    @cached_property
    def actuated(self) -> tuple[str, ...]:
        """(A,) names of the actions."""
        return tuple(f"action {i}" for i in range(self.bounds.shape[1]))

    @property
    def dt_ns(self) -> int:
        return round(self.dt * NS)


class EnvironmentLayout:
    """The observation is the state: which number stands where, in units of its own."""

    def __init__(self, spec: EnvironmentSpec):
        self.spec = spec
        self.names = spec.observation_names
        self.size = len(self.names)
        self.scales = spec.scales.astype(np.float32)
        self.indifferent = np.zeros(self.size, bool)  # nobody says what the dynamics do not depend on
        self.noise = np.zeros(self.size, np.float32)  # what is seen is what there is

    @property
    def transition_sizes(self) -> tuple[int, int, int]:
        """Of state, action and next_state in a transition."""
        return self.size, len(self.spec.actuated), self.size


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one step."""

    observation: np.ndarray  # (S,)
    reward: float
    terminated: bool  # it ended by what happened, and nothing more is to be earned
    truncated: bool  # it ended because its time was up


class Environment(Protocol):
    """Built with a seed; the same seed and actions give the same observations."""

    spec: EnvironmentSpec

    def reset(self) -> np.ndarray:
        """A new episode; (S,) its first observation."""

    def step(self, action: np.ndarray) -> Outcome:
        """(A,) within the bounds, for one dt."""


class Episodes:
    """Steps an environment, starts it anew where an episode ends, and says each step as a transition.

    Time counts on over resets, as a robot's does, so that a buffer sees which transitions follow each other. Reward and
    end are the environment's own word: a model of them learns from these.
    """

    def __init__(self, environment: Environment, start_ns: int = 0):
        self.environment, self.spec = environment, environment.spec
        self.number = -1  # of the episode, from 0
        self.earned: list[float] = []  # in each episode so far, the running one included
        self._start_ns, self._sequence, self._stamp_ns = start_ns, 0, 0
        self.begin()

    @property
    def steps(self) -> int:
        """In the running episode."""
        return self._steps

    def begin(self) -> np.ndarray:
        """(S,) float32, where a new episode begins."""
        self._stamp_ns += GAP_STEPS * self.spec.dt_ns if self.number >= 0 else 0
        self.number, self._steps = self.number + 1, 0
        self.earned.append(0.0)
        self.over = False
        self.observation = self._checked(self.environment.reset(), "observation")
        return self.observation

    def step(self, action: np.ndarray, explored: bool = False, model: int = 0) -> Transition:
        """One step with (A,) `action`, brought within the bounds. Begins anew first where the last step was an end."""
        if self.over:
            self.begin()
        action = np.asarray(action, float)
        if action.shape != (len(self.spec.actuated),):
            raise ValueError(f"action has shape {action.shape}, {self.spec.name} takes ({len(self.spec.actuated)},)")
        if not np.isfinite(action).all():
            raise ValueError(f"{self.spec.name}: action is not finite: {action}")
        applied = action.clip(*self.spec.bounds)
        outcome = self.environment.step(applied)
        self._checked(np.array([outcome.reward]), "reward")
        flags = Flag.EXPLORED if explored else Flag(0)
        transition = Transition(
            state=self.observation,
            action=applied.astype(np.float32),
            next_state=self._checked(outcome.observation, "observation"),
            command=np.zeros(0),
            phase=0.0,
            reward=float(outcome.reward),
            terminal=bool(outcome.terminated),
            flags=flags if np.array_equal(applied, action) else flags | Flag.CLIPPED,
            sequence=self._sequence,
            stamp_ns=self._stamp_ns,
            start_ns=self._start_ns,
            model=model,
        )
        self._steps += 1
        self._sequence += 1
        self._stamp_ns += self.spec.dt_ns
        self.earned[-1] += transition.reward
        self.observation = transition.next_state
        self.over = outcome.terminated or outcome.truncated or self._steps >= self.spec.episode_steps
        return transition

    def _checked(self, numbers: np.ndarray, what: str) -> np.ndarray:
        if not np.isfinite(numbers).all():
            raise FloatingPointError(
                f"{self.spec.name}: {what} is not finite in step {self._steps} of episode {self.number}: {numbers}"
            )
        return np.asarray(numbers, np.float32)
