"""The plans in the guard's hands: which arriving plan is refused, and which point holds at a robot time."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

import numpy as np

from mbrl_ros.types import Plan

# No planner delays its first point longer, and none knows a state this long before the guard does.
FURTHEST_AHEAD_STEPS = 10

KEPT = 16

# Far more than any planner sends; who sends more only takes the guard's time.
MOST_POINTS = 100

SPACING = 0.99  # of dt, between points at least: nearer ones would move a target to and fro within a step

# Once plans were lost, so many must come in time before they are followed again: a planner that is only just too slow
# would else be followed and lost many times a second.
OWED_AFTER_LOSS = 3


@dataclass(frozen=True, eq=False)
class PlanBook:
    """Plans received, the newest first: those that begin later, and the one that already holds."""

    dt_ns: int
    actuated: int
    silence_ns: int  # without plans for this long, the planner has gone
    plans: tuple[Plan, ...] = ()
    received_ns: int = 0  # when the newest came
    owed: int = 0  # plans in a row, each in time, that are still to come before any is followed


def fault(book: PlanBook, plan: Plan, state_ns: int, now_ns: int) -> str | None:
    """Why `plan` is refused. `state_ns` is the newest state's stamp."""
    offsets, furthest = plan.offsets_ns, FURTHEST_AHEAD_STEPS * book.dt_ns
    if not 0 < len(offsets) <= MOST_POINTS or plan.targets.shape != (len(offsets), book.actuated):
        return "plan_shape"
    if not np.isfinite(plan.targets).all():
        return "plan_not_finite"
    nearest = SPACING * book.dt_ns
    if not 0 <= offsets[0] <= furthest or any(b - a < nearest for a, b in zip(offsets, offsets[1:], strict=False)):
        return "plan_offsets"
    if plan.stamp_ns + offsets[-1] + book.dt_ns <= state_ns:
        return "plan_past"
    if plan.stamp_ns > state_ns + furthest:
        return "plan_future"
    if book.plans:
        newest = book.plans[0]
        if plan.stamp_ns < newest.stamp_ns:
            return "plan_order"
        # A planner that starts again counts from 0; its first plans may have been lost, but then it was silent before.
        restarted = plan.sequence == 0 or now_ns - book.received_ns > book.silence_ns
        if plan.sequence <= newest.sequence and not restarted:
            return "plan_sequence"
    return None


def repeated(book: PlanBook, plan: Plan) -> bool:
    """In lockstep a repeated state is answered with the same plan again."""
    return bool(book.plans) and (plan.stamp_ns, plan.sequence) == (book.plans[0].stamp_ns, book.plans[0].sequence)


def added(book: PlanBook, plan: Plan, state_ns: int, now_ns: int) -> PlanBook:
    kept = [plan]
    for older in book.plans[: KEPT - 1]:
        if _point(kept[-1], state_ns, book.dt_ns) is not None:
            break
        kept.append(older)
    in_time = now_ns - book.received_ns <= book.silence_ns
    owed = max(0, (book.owed if in_time or not book.owed else OWED_AFTER_LOSS) - 1)
    return replace(book, plans=tuple(kept), received_ns=now_ns, owed=owed)


def lost(book: PlanBook) -> PlanBook:
    """Plans stopped, or came too late, while they were followed."""
    return replace(book, owed=OWED_AFTER_LOSS)


def emptied(book: PlanBook) -> PlanBook:
    """Without its plans: they belong to another time or another posture."""
    return PlanBook(book.dt_ns, book.actuated, book.silence_ns)


def holding(book: PlanBook, robot_ns: int) -> tuple[Plan, np.ndarray] | None:
    """The newest plan that already covers `robot_ns`, and its target (A,)."""
    for plan in book.plans:
        index = _point(plan, robot_ns, book.dt_ns)
        if index is not None:
            return plan, plan.targets[index]
    return None


def _point(plan: Plan, robot_ns: int, dt_ns: int) -> int | None:
    """Which point holds: each for its step, so the last expires after one."""
    since = robot_ns - plan.stamp_ns
    index = bisect_right(plan.offsets_ns, since) - 1
    return index if index >= 0 and since < plan.offsets_ns[index] + dt_ns else None
