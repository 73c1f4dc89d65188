"""Which of its versions a learner goes on from when it starts again: the newest that is what its card says.

A file may be whole, of this robot, and wrong. The data that the run has left says so, before the planner flies it with
nothing to go back to. Errors grow for other reasons too, as when the robot has changed; then the version before is no
better, and nothing is held against the newest.
"""

from __future__ import annotations

import math
from typing import Any

from mbrl_ros.dynamics.storage import Card
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.models import Versions

Kept = tuple[Any, Card, bytes]


def begin_well(
    learner: Learner, versions: Versions, start: tuple[Any, Card] | None
) -> tuple[Kept | None, dict[int, str]]:
    """`learner` has the data of the run and its newest version; `start`: the model that the run started with.

    Returns the version that it goes on from now, None being `start`, or else nothing; and those refused, and why.
    """
    kept, refused = versions.newest(), {}
    while kept is not None:
        before = versions.newest({*refused, kept[1].version})
        why = _objection(learner, kept[:2], [other[0] for other in (before, start) if other])
        if not why:
            break
        refused[kept[1].version] = why
        kept = before
    if refused:
        learner.return_to(*(kept[:2] if kept else start or (None, None)))
    return kept, refused


def _objection(learner: Learner, kept: tuple[Any, Card], others: list) -> str:
    """Empty where it is what its card says, where none of the others is better, and where there is no data."""
    model, card = kept
    error = learner.held_out_error(model)
    tolerance = learner.config.tolerance
    if error is None or error <= tolerance * card.held_out_error:
        return ""
    # Whatever else there is, it should know more than one that has learned nothing.
    others = [*others, learner.candidate.untrained(model)]
    best = min(filter(math.isfinite, map(learner.held_out_error, others)), default=math.inf)
    if error <= tolerance * best:
        return ""
    return f"held-out error {error:.3g}, its card says {card.held_out_error:.3g}, and what was before it has {best:.3g}"
