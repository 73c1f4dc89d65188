"""A transition as it travels and as it is journaled: named parts in one array of numbers, and their bytes (CDR).

What ROS calls std_msgs/msg/Float64MultiArray is read here without ROS, so that a journal can be read anywhere.
"""

from __future__ import annotations

import struct
from itertools import accumulate

import numpy as np

from mbrl_ros.types import NS, Flag, Transition

ARRAYS = ("state", "action", "next_state", "command")
SCALARS = ("phase", "reward", "terminal", "flags", "sequence", "seconds", "nanoseconds", "model")
START = ("start_seconds", "start_nanoseconds")
LITTLE_ENDIAN_CDR = b"\0\1"
MOST_PARTS = 64
MOST = float(np.finfo(np.float32).max)  # what is learned from is kept in float32
MOST_WHOLE = 2.0**53  # what a double counts to
# The most that each may be; none is negative. Times as of all messages (nodes/messages/fields.py), and so that a file
# can hold them.
COUNTED = {
    "flags": MOST_WHOLE,
    "sequence": 2**32 - 1,
    "seconds": 2**31 - 86_400,
    "nanoseconds": NS - 1,
    "model": MOST_WHOLE,
    "start_seconds": 2**33,
    "start_nanoseconds": NS - 1,
}


class NotATransition(ValueError):
    """These bytes or parts are no transition; says why."""


def parts_of(t: Transition) -> dict[str, np.ndarray]:
    """Every part under its name, in the order in which they stand in the array."""
    arrays = {name: np.asarray(getattr(t, name), float) for name in ARRAYS}
    time = divmod(t.stamp_ns, NS)
    numbers = (t.phase, t.reward, t.terminal, t.flags, t.sequence, *time, t.model, *divmod(t.start_ns, NS))
    return arrays | {name: np.array([n], float) for name, n in zip(SCALARS + START, numbers, strict=True)}


def split(labels: list[str], sizes: list[int], data: np.ndarray) -> dict[str, np.ndarray]:
    """The array's parts by the names and sizes that its layout gives them; every number must be finite in float32."""
    if sum(sizes) != len(data):
        raise NotATransition(f"transition of {len(data)} numbers whose layout names {sum(sizes)}")
    ends = list(accumulate(sizes))
    parts = {name: data[end - size : end] for name, size, end in zip(labels, sizes, ends, strict=True)}
    if not (np.abs(data) <= MOST).all():
        spoilt = [name for name, part in parts.items() if not (np.abs(part) <= MOST).all()]
        raise NotATransition(f"{', '.join(spoilt) or 'a number'} is not finite")
    return parts


def transition_of(parts: dict[str, np.ndarray]) -> Transition:
    """The transition that the parts make; each must be there."""
    missing = [k for k in ARRAYS if k not in parts] + [k for k in SCALARS + START if len(parts.get(k, ())) != 1]
    if missing:
        raise NotATransition(f"transition without {', '.join(missing)}")
    number = {k: float(parts[k][0]) for k in SCALARS + START}
    if uncounted := [k for k, most in COUNTED.items() if not 0 <= number[k] <= most]:
        raise NotATransition(f"transition whose {', '.join(uncounted)} is beyond any count")
    return Transition(
        **{name: parts[name] for name in ARRAYS},
        phase=number["phase"],
        reward=number["reward"],
        terminal=bool(number["terminal"]),
        flags=Flag(int(number["flags"])),
        sequence=int(number["sequence"]),
        stamp_ns=int(number["seconds"]) * NS + int(number["nanoseconds"]),
        start_ns=int(number["start_seconds"]) * NS + int(number["start_nanoseconds"]),
        model=int(number["model"]),
    )


def decoded(content: bytes) -> Transition:
    """The transition in a serialised Float64MultiArray; NotATransition where it is damaged or something else."""
    if content[:2] != LITTLE_ENDIAN_CDR:
        raise NotATransition("not little-endian CDR")
    try:
        return transition_of(split(*_fields(memoryview(content)[4:])))  # alignment counts from behind the header
    except (struct.error, UnicodeDecodeError) as error:
        raise NotATransition(f"damaged: {error}") from error


def _fields(body: memoryview) -> tuple[list[str], list[int], np.ndarray]:
    """Labels, sizes and numbers.

    MultiArrayLayout is a list of (label, size, stride) and an offset; the array of doubles follows, each on a multiple
    of its own size.
    """
    (count,) = struct.unpack_from("<I", body)
    if count > MOST_PARTS:
        raise NotATransition(f"{count} parts")
    at, labels, sizes = 4, [], []
    for _ in range(count):
        (length,) = struct.unpack_from("<I", body, at)
        labels.append(str(body[at + 4 : at + 3 + length], "utf-8"))  # without the zero at its end
        at = _aligned(at + 4 + length, 4)
        size, _stride = struct.unpack_from("<II", body, at)
        sizes.append(size)
        at += 8
    _offset, length = struct.unpack_from("<II", body, at)
    at = _aligned(at + 8, 8) if length else at + 8
    if len(body) < at + 8 * length:
        raise NotATransition(f"cut off: {len(body)} bytes for {length} numbers")
    return labels, sizes, np.frombuffer(body, "<f8", length, at)


def _aligned(at: int, size: int) -> int:
    return -(-at // size) * size
