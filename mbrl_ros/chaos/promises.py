"""What was seen of one fault, what had been promised of it, and which promises that breaks."""

from __future__ import annotations

from dataclasses import dataclass

# What the robot was made to do, from nothing to everything; the most severe that was seen is told.
WALKS_ON, SLOWS, HOLDS, SITS, DAMPS, DRIVER_DAMPS, ESTOP = SEVERITY = (
    "walk on", "slow", "hold", "sit", "damp", "driver damps", "estop",
)  # fmt: skip
# What was said of somebody's model, plan or command, whatever the robot did meanwhile.
NAMED, REFUSED, ROLLED_BACK = VERDICTS = ("name", "refuse", "roll back")


@dataclass(frozen=True)
class Promise:
    """None or empty: not promised, or not allowed."""

    actions: tuple[str, ...]  # what the robot may be made to do
    safe_ms: float | None = None  # from the fault to the first command that follows no plan; where one was needed
    falls: str = ""  # why physics may leave no choice but to fall
    detected: bool = False  # somebody has to notice, even where nothing has to be done
    verdicts: tuple[str, ...] = ()  # one of these has to be given


@dataclass(frozen=True)
class Row:
    """One fault with one seed, as the report has it."""

    fault: str
    seed: int
    detected_ms: float | None  # None: nobody noticed
    action: str  # what the robot was made to do, after the verdicts, if any were given
    safe_ms: float | None  # None: plans were followed throughout
    falls: int
    outside_limits: int
    non_finite: int
    transitions_lost: int
    recovered: bool
    clock: str  # real or lockstep: whose milliseconds these are
    seconds: float  # wall time that it took, recovery included
    said: str  # by whom it was noticed first, and in which words
    broken: tuple[str, ...] = ()


def broken(row: Row, promise: Promise) -> tuple[str, ...]:
    """Each promise that `row` breaks, in words; none: all were kept."""
    found = []
    done = row.action.split(", ")
    if not set(done) <= {*promise.actions, *VERDICTS}:
        found.append(f"action {row.action}, promised: {' or '.join(promise.actions)}")
    if promise.verdicts and not set(done) & set(promise.verdicts):
        found.append(f"action {row.action}, promised: {' or '.join(promise.verdicts)}")
    if promise.safe_ms is not None and row.safe_ms is not None and row.safe_ms > promise.safe_ms:
        found.append(f"safe after {row.safe_ms:.1f} ms, promised: {promise.safe_ms:g} ms")
    if promise.detected and row.detected_ms is None:
        found.append("nobody noticed")
    if row.falls and not promise.falls:
        found.append(f"falls: {row.falls}")
    if row.outside_limits:
        found.append(f"commands outside limits: {row.outside_limits}")
    if row.non_finite:
        found.append(f"non-finite commands: {row.non_finite}")
    if row.transitions_lost:
        found.append(f"transitions lost: {row.transitions_lost}")
    if not row.recovered:
        found.append("did not recover")
    return tuple(found)
