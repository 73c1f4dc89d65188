"""What nodes say of themselves: events <-> Event, diagnostics, metrics and text."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Float32, String

from mbrl_ros.nodes.messages.fields import Refused, time_message, whole_number
from mbrl_ros.types import Event

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
EVENT_LEVEL = {"fall": ERROR, "estop": ERROR, "error": ERROR, "stranger": ERROR, "damp": WARN, "fault": WARN}


def event_message(event: Event) -> DiagnosticStatus:
    level = EVENT_LEVEL.get(event.name, OK)
    return status_message(event.name, event.message, {"stamp_ns": event.stamp_ns}, level)


def event_of(message: DiagnosticStatus) -> Event:
    values = values_of(message)
    if "stamp_ns" not in values:
        raise Refused(f"event {message.name!r} without stamp_ns")
    stamp_ns = whole_number(values["stamp_ns"], f"event {message.name!r}: stamp_ns")
    return Event(message.name, stamp_ns, message.message)


def status_message(name: str, message: str, values: dict, level: bytes = OK) -> DiagnosticStatus:
    """One part's health: what is right or wrong in words, and its numbers."""
    pairs = [KeyValue(key=key, value=_text(value)) for key, value in values.items()]
    return DiagnosticStatus(level=level, name=name, message=message, values=pairs)


def values_of(message: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in message.values}


def diagnostics_message(stamp_ns: int, statuses: list[DiagnosticStatus]) -> DiagnosticArray:
    message = DiagnosticArray(status=statuses)
    message.header.stamp = time_message(stamp_ns)
    return message


def number_message(value: float) -> Float32:
    return Float32(data=float(value))


def text_message(text: str) -> String:
    return String(data=text)


def _text(value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
