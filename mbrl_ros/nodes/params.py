"""Settings as ROS parameters: declared from a dataclass, read back frozen, changed while running by the same rules."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

from mbrl_ros.config import ConfigError, Leaf, leaves, replaced, unknown_key

MOST_INTEGER = 2**63 - 1


class Settings:
    """`current` is the frozen dataclass as of now; `on_change(new)` is called after a live change was accepted.

    `check(now, new)` may refuse one by a ConfigError.
    """

    def __init__(
        self,
        node,
        default,
        on_change: Callable[[object], None] = lambda new: None,
        check: Callable[[object, object], None] = lambda now, new: None,
    ):
        """`default` is an instance of the dataclass; values of a parameter file or the command line come over it."""
        self._node = node
        self._on_change, self._check_change = on_change, check
        self.current = _declared(node, default)
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._take)

    def _check(self, parameters) -> SetParametersResult:
        try:
            self._check_change(self.current, self._with(parameters))
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _take(self, parameters) -> None:
        changed = self._with(parameters)
        if changed != self.current:
            self.current = changed
            self._on_change(changed)

    def _with(self, parameters):
        known = {leaf.name for leaf in leaves(self.current)}
        own = {p.name: _plain(p.value) for p in parameters if p.name in known}  # others are rclpy's, as use_sim_time is
        return replaced(self.current, own, self._node.get_name())


def _declared(node, default):
    known = leaves(default)
    _refuse_unknown(node, {leaf.name for leaf in known})
    told = {}
    for leaf in known:
        try:
            parameter = node.declare_parameter(leaf.name, _ros_value(leaf), _descriptor(leaf))
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            hint = f"; write a number with a point, as in {float(leaf.value)}" if isinstance(leaf.value, float) else ""
            raise ConfigError(f"{node.get_name()}: {error}{hint}") from error
        told[leaf.name] = _plain(parameter.value)
    return replaced(default, told, node.get_name())


def _refuse_unknown(node, known: set[str]) -> None:
    """rclpy drops overrides of parameters that nobody declares; a mistyped name would go unseen."""
    for name in node._parameter_overrides:
        if name not in known and not node.has_parameter(name) and not name.startswith("qos_overrides."):
            raise ConfigError(unknown_key(node.get_name(), name, known))


def _descriptor(leaf: Leaf) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=leaf.doc, read_only=not leaf.live)
    if leaf.choices:
        descriptor.additional_constraints = f"one of {', '.join(leaf.choices)}"
    if leaf.low is None and leaf.high is None:
        return descriptor
    if isinstance(leaf.value, float):
        low = -sys.float_info.max if leaf.low is None else float(leaf.low)
        high = sys.float_info.max if leaf.high is None else float(leaf.high)
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    else:
        low = -MOST_INTEGER if leaf.low is None else int(leaf.low)
        high = MOST_INTEGER if leaf.high is None else int(leaf.high)
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
    return descriptor


def _ros_value(leaf: Leaf):
    return list(leaf.value) if isinstance(leaf.value, tuple) else leaf.value


def _plain(value):
    """rclpy hands arrays out as array.array."""
    return value if isinstance(value, (str, int, float, bool)) else list(value)
