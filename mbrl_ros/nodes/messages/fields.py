"""What the messages of all topics have in common: stamps, joints by name, numbers that must be finite, tags.

A message that cannot be taken raises Refused with a sentence that names what is wrong. What comes in may be foreign:
joints in any order, more joints than ours, numbers that are not finite. What is not finite never becomes a record,
except in plans: the gate judges those, and counts.
"""

from __future__ import annotations

from array import array

import numpy as np
from builtin_interfaces.msg import Time

from mbrl_ros.types import NS

# Stamps count seconds in 31 bits, and what comes later is told with later stamps: nobody's clock may end that soon.
MOST_SECONDS = 2**31 - 86_400
MOST_WHOLE = 2**63 - 1  # of numbers in tags


class Refused(ValueError):
    """This message cannot be used; says why."""


def time_message(stamp_ns: int) -> Time:
    return Time(sec=stamp_ns // NS, nanosec=stamp_ns % NS)


def stamp_of(stamp: Time) -> int:
    """Nanoseconds, from 0 on."""
    if not 0 <= stamp.sec <= MOST_SECONDS or stamp.nanosec >= NS:
        raise Refused(f"no time: a stamp of {stamp.sec} s and {stamp.nanosec} ns")
    return stamp.sec * NS + stamp.nanosec


class JointOrder:
    """Where our joints stand in a message's list of names; looked up again only when the list changes."""

    def __init__(self, wanted: tuple[str, ...]):
        self._wanted = wanted
        self._seen: list[str] | None = None
        self._indices = np.zeros(0, int)

    def of(self, names: list[str]) -> np.ndarray:
        if names != self._seen:
            at = {name: i for i, name in enumerate(names)}
            missing = [name for name in self._wanted if name not in at]
            if missing:
                raise Refused(f"joint missing: {', '.join(missing)}. Got: {', '.join(names) or 'no names'}")
            if len(at) < len(names) and (twice := [name for name in self._wanted if names.count(name) > 1]):
                raise Refused(f"joint named more than once: {', '.join(twice)}")
            self._indices = np.array([at[name] for name in self._wanted])
            self._seen = list(names)
        return self._indices


def doubles(values: np.ndarray) -> array:
    """rclpy takes an array as it is, where it would check each number of a list."""
    return array("d", np.ascontiguousarray(values, float).tobytes())


def check_finite(values: np.ndarray, what: str, names=None, indices=None) -> None:
    if np.isfinite(values).all():
        return
    bad = np.flatnonzero(~np.isfinite(values))
    if names is None:
        raise Refused(f"{what} is not finite")
    where = bad if indices is None else np.asarray(indices)[bad]
    raise Refused(f"{what} is not finite: {', '.join(names[i] for i in where)}")


def tags_text(**values) -> str:
    return " ".join(f"{key}={value}" for key, value in values.items())


def tags_of(text: str, *wanted: str) -> dict[str, str]:
    tags = dict(part.split("=", 1) for part in text.split() if "=" in part)
    missing = [key for key in wanted if key not in tags]
    if missing:
        raise Refused(f"frame_id {text!r} lacks {', '.join(missing)}")
    return tags


def whole_number(text: str, what: str) -> int:
    try:
        number = int(text)
    except ValueError as error:
        raise Refused(f"{what} {text[:40]!r} is not a whole number") from error
    if abs(number) > MOST_WHOLE:
        raise Refused(f"{what} {text[:40]!r} is beyond any count")
    return number


def member_of(kind, text: str):
    try:
        return kind(text)
    except ValueError as error:
        raise Refused(f"{text!r} is none of {', '.join(kind)}") from error
