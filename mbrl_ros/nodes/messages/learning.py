"""What is learned from and what was learned: transition <-> Transition, model <-> bytes."""

from __future__ import annotations

from array import array

import numpy as np
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, UInt8MultiArray

from mbrl_ros.nodes.messages.fields import Refused, check_finite, doubles
from mbrl_ros.types import NS, Flag, Transition

ARRAYS = ("state", "action", "next_state", "command")
SCALARS = ("phase", "reward", "terminal", "flags", "sequence", "seconds", "nanoseconds", "model")
START = ("start_seconds", "start_nanoseconds")


def transition_message(t: Transition) -> Float64MultiArray:
    arrays = {name: getattr(t, name) for name in ARRAYS}
    time = divmod(t.stamp_ns, NS)
    numbers = (t.phase, t.reward, t.terminal, t.flags, t.sequence, *time, t.model, *divmod(t.start_ns, NS))
    parts = arrays | dict(zip(SCALARS + START, ([n] for n in numbers), strict=True))
    message = Float64MultiArray(data=doubles(np.concatenate([np.asarray(p, float) for p in parts.values()])))
    message.layout.dim = [MultiArrayDimension(label=k, size=len(p), stride=len(p)) for k, p in parts.items()]
    return message


def transition_of(message: Float64MultiArray) -> Transition:
    data = np.array(message.data)
    sizes = [dim.size for dim in message.layout.dim]
    if sum(sizes) != len(data):
        raise Refused(f"transition of {len(data)} numbers whose layout names {sum(sizes)}")
    pieces = np.split(data, np.cumsum(sizes)[:-1]) if sizes else []
    parts = {dim.label: piece for dim, piece in zip(message.layout.dim, pieces, strict=True)}
    missing = [k for k in ARRAYS if k not in parts] + [k for k in SCALARS + START if len(parts.get(k, ())) != 1]
    if missing:
        raise Refused(f"transition without {', '.join(missing)}")
    for name, part in parts.items():
        check_finite(part, name)
    number = {k: float(parts[k][0]) for k in SCALARS + START}
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


def bytes_message(content: bytes) -> UInt8MultiArray:
    """An array of bytes passes as it is: 0.14 ms for 2 MB, against 38 ms for a list of numbers."""
    return UInt8MultiArray(data=array("B", content))


def bytes_of(message: UInt8MultiArray) -> bytes:
    return bytes(message.data)
