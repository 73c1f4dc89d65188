"""How a planner's decision variables become joint targets: joint offsets, smooth ones, a gait, or motions by number.

A map has `size` (U), `bounds` (2, U), `noise` (U,) and `explore` (U,) scales for planning and for random motion, `rest`
(U,) around which that motion is, `prior(command (C,)) -> (U,)`, and `decode(decisions (N, H, U), phase (H,)) -> targets
(N, H, A)` in physical units. Decisions are scaled so that one is much. Where they are discrete, `choices` (K, U) lists
them. `stepwise`: each target comes from one decision, whatever the phase. Where targets may change by so much a step,
`rate` (A,) says by how much, and `paced` keeps to it.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import torch
from torch import Tensor

from mbrl_ros.config import ConfigError
from mbrl_ros.content import content_hash
from mbrl_ros.robots.fit import check_primitives
from mbrl_ros.robots.gait import GaitMap
from mbrl_ros.robots.spec import RobotSpec

VOTE = 0.3  # a difference between two votes that counts, for the gradient


class JointMap:
    """Offsets of each joint's target from stance, each step its own."""

    stepwise = True

    def __init__(self, spec: RobotSpec):
        self.size = len(spec.actuated)
        self.bounds = torch.tensor([[-1.0] * self.size, [1.0] * self.size])
        self.noise = torch.full((self.size,), 0.35)
        self.explore = torch.full((self.size,), 0.5)
        self.rest = torch.zeros(self.size)
        self._stance = torch.tensor(spec.stance, dtype=torch.float32)
        self._reach = torch.tensor([j.reach for j in spec.actuated])
        self._low, self._high = torch.tensor(spec.target_limits, dtype=torch.float32)
        rate = torch.tensor(spec.target_step_limit, dtype=torch.float32)
        self.rate = rate if torch.isfinite(rate).any() else None

    def prior(self, command: Tensor) -> Tensor:
        return torch.zeros(self.size)

    def decode(self, decisions: Tensor, phase: Tensor) -> Tensor:
        return (self._stance + decisions * self._reach).clamp(self._low, self._high)


class SplineMap(JointMap):
    """As JointMap, but the decisions are the control points of a uniform cubic B-spline, one a step.

    Smoothing is a convolution with the B-spline kernel of `knot_steps`, so a shifted plan is the shifted motion.
    """

    knot_steps, stepwise = 4, False

    def decode(self, decisions: Tensor, phase: Tensor) -> Tensor:
        return super().decode(self._kernel(decisions.shape[1]) @ decisions, phase)

    def _kernel(self, horizon: int) -> Tensor:
        """(H, H) rows sum to one; control points beyond the ends are left out."""
        steps = torch.arange(horizon, dtype=torch.float32)
        x = (steps[:, None] - steps[None, :]).abs() / self.knot_steps
        near = 2 / 3 - x**2 + x**3 / 2
        far = (2 - x).clamp(min=0) ** 3 / 6
        kernel = torch.where(x < 1, near, far)
        return kernel / kernel.sum(1, keepdim=True)


def told_size(action_map) -> int:
    """A where its targets have a rate, and so depend on what was told before; else 0."""
    rate = getattr(action_map, "rate", None)
    return 0 if rate is None else len(rate)


def paced(targets: Tensor, told: Tensor, rate: Tensor) -> Tensor:
    """Targets (..., H, A) that follow what was told before (A,), each at most `rate` (A,) from the one before it."""
    found = []
    for target in targets.unbind(-2):
        told = torch.minimum(torch.maximum(target, told - rate), told + rate)
        found.append(told)
    return torch.stack(found, -2)


class PrimitiveMap:
    """A vote for each motion that the robot file lists; the one with the most is taken, the first where nobody votes.

    Votes can be averaged, spread and interpolated, which numbers of motions cannot: between 1 and 5 lies no 3. The
    choice has no slope; that of the softmax of the votes stands in for it, for models that take a number between two
    motions for a share of both (dynamics/ensemble.py). A law that rounds it has none all the same.
    """

    stepwise = True

    def __init__(self, spec: RobotSpec):
        check_primitives(spec)
        self.size = len(spec.primitives)
        self.bounds = torch.tensor([[-1.0] * self.size, [1.0] * self.size])
        self.noise = torch.full((self.size,), 0.7)
        self.explore = torch.full((self.size,), 0.7)
        self.rest = torch.zeros(self.size)
        self.choices = torch.eye(self.size)
        self._numbers = torch.arange(self.size, dtype=torch.float32)
        self._first = torch.zeros(self.size)
        self._first[0] = 1e-3  # breaks ties

    def prior(self, command: Tensor) -> Tensor:
        return torch.zeros(self.size)

    def decode(self, decisions: Tensor, phase: Tensor) -> Tensor:
        votes = decisions + self._first
        soft = (torch.softmax(votes / VOTE, -1) * self._numbers).sum(-1, keepdim=True)
        return votes.argmax(-1, keepdim=True).float() + (soft - soft.detach())


ACTION_MAPS = {"joint": JointMap, "spline": SplineMap, "gait": GaitMap, "primitive": PrimitiveMap}


def make_action_map(name: str, spec: RobotSpec):
    if name not in ACTION_MAPS:
        raise ConfigError(f"no action map {name!r}. Known: {', '.join(ACTION_MAPS)}.")
    return ACTION_MAPS[name](spec)


def map_hash(name: str, spec: RobotSpec) -> str:
    """Names what the map makes of decisions: its numbers, the legs and their gait, what the joints' targets start from.

    Gains and dt are in the robot's layout_hash, limits are compared by themselves.
    """
    made = make_action_map(name, spec)
    content = {
        "name": name,
        "numbers": [getattr(made, part).tolist() for part in ("bounds", "noise", "explore", "rest")],
        "knot_steps": getattr(made, "knot_steps", 0),
        "legs": asdict(spec.legs) if spec.legs else None,
        "mass": spec.base.mass if spec.base else 0.0,
        "joints": [[j.name, j.stance, j.reach] for j in spec.actuated],
    }
    return content_hash(json.dumps(_rounded(content), sort_keys=True).encode())


def _rounded(content):
    """Numbers to six digits, so that no platform's last bit counts."""
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_rounded(value) for value in content]
    return f"{content + 0.0:.6g}" if isinstance(content, (int, float)) else content
