"""What is learned from and what was learned: transition <-> Transition, model <-> bytes."""

from __future__ import annotations

from array import array

import numpy as np
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, UInt8MultiArray

from mbrl_ros.data import transition_record
from mbrl_ros.nodes.messages.fields import Refused, doubles
from mbrl_ros.types import Transition

SIGNED_BY = "hmac-sha256 "  # in the layout of a model or policy, before its signature


def transition_message(t: Transition) -> Float64MultiArray:
    parts = transition_record.parts_of(t)
    message = Float64MultiArray(data=doubles(np.concatenate(list(parts.values()))))
    message.layout.dim = [MultiArrayDimension(label=k, size=len(p), stride=len(p)) for k, p in parts.items()]
    return message


def transition_of(message: Float64MultiArray) -> Transition:
    labels, sizes = [dim.label for dim in message.layout.dim], [dim.size for dim in message.layout.dim]
    try:
        return transition_record.transition_of(transition_record.split(labels, sizes, np.array(message.data)))
    except transition_record.NotATransition as error:
        raise Refused(str(error)) from error


def bytes_message(content: bytes) -> UInt8MultiArray:
    """An array of bytes passes as it is: 0.14 ms for 2 MB, against 38 ms for a list of numbers."""
    return UInt8MultiArray(data=array("B", content))


def bytes_of(message: UInt8MultiArray) -> bytes:
    return bytes(message.data)


def sign_message(message: UInt8MultiArray, signature: str) -> None:
    size = len(message.data)
    message.layout.dim = [MultiArrayDimension(label=SIGNED_BY + signature, size=size, stride=size)]


def signature_of(message: UInt8MultiArray) -> str:
    """Empty where there is none."""
    labels = [dim.label for dim in message.layout.dim if dim.label.startswith(SIGNED_BY)]
    return labels[0].removeprefix(SIGNED_BY) if labels else ""
