"""Turns the steps that pairing completes into transitions: with the command and the phase they were made under."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch

from mbrl_ros.data.pairing import Step
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.types import Flag, Transition

REMEMBERED = 200  # steps whose circumstances are kept until their pair is complete


@dataclass(frozen=True)
class _Circumstances:
    command: np.ndarray
    phase: float
    exploring: bool
    unsure: bool = False


class Recorder:
    """Numbers transitions densely from 0, so that every loss behind it can be counted."""

    def __init__(self, layout: FeatureLayout, task, start_ns: int):
        self._layout, self._task, self._start_ns = layout, task, start_ns
        self._known: OrderedDict[int, _Circumstances] = OrderedDict()
        self._anew = False
        self.sent = 0

    def mark_anew(self) -> None:
        """What came before the next transition is not to be learned from any more."""
        self._anew = True

    def note(self, stamp_ns: int, command: np.ndarray, phase: float, exploring: bool, unsure: bool = False) -> None:
        """Under what the step that begins at `stamp_ns` was decided."""
        self._known[stamp_ns] = _Circumstances(np.array(command, float), phase, exploring, unsure)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def transition(self, step: Step) -> Transition:
        nothing = _Circumstances(np.zeros(self._task.command_size), 0.0, False)
        about = self._known.get(step.state.stamp_ns, nothing)
        flags = Flag.CLIPPED * step.clipped | Flag.HELD * step.held | Flag.EXPLORED * about.exploring
        flags |= Flag.UNSURE * about.unsure
        flags, self._anew = flags | Flag.ANEW * self._anew, False
        after = self._layout.encode(step.next)
        outcome = torch.from_numpy(after)
        command = torch.from_numpy(about.command.astype(np.float32))
        transition = Transition(
            state=self._layout.encode(step.state),
            action=step.target,
            next_state=after,
            command=about.command,
            phase=about.phase,
            reward=float(self._task.reward(outcome, command)),
            terminal=bool(self._task.terminated(outcome)),
            flags=Flag(flags),
            sequence=self.sent,
            stamp_ns=step.state.stamp_ns,
            start_ns=self._start_ns,
            model=step.model,
        )
        self.sent += 1
        return transition
