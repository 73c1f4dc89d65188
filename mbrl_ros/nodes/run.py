"""How the process of a node starts, spins and ends.

    def main() -> int:
        return run_node(Guard)

SIGINT and SIGTERM end the spinning between two callbacks, so that a node can still say its last word in `farewell()`;
a second one, or a callback that does not return for GRACE seconds, ends the process at once. Exit status: 0 after a
signal, 1 after an uncaught exception or a failed lifecycle transition, both with the reason on stderr.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable

import rclpy
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from mbrl_ros.config import ConfigError
from mbrl_ros.nodes.spin import SteadyExecutor

GRACE = 5.0  # s
SIGNALS = {signal.SIGINT, signal.SIGTERM}


class ManagedNode(LifecycleNode):
    """A lifecycle node with plain methods: an exception in one is printed, where rclpy would swallow it.

    `active` says whether the node may act. Overload what is needed; each is called in the named transition.
    """

    active = False

    def __init__(self, name: str):
        super().__init__(name)
        self.autostart = self.declare_parameter("autostart", True).value

    def configure(self) -> None: ...

    def activate(self) -> None: ...

    def deactivate(self) -> None: ...

    def clean_up(self) -> None: ...

    def on_configure(self, state):
        return self._transition(self.configure)

    def on_activate(self, state):
        result = self._transition(self.activate)
        self.active = result == TransitionCallbackReturn.SUCCESS
        return result

    def on_deactivate(self, state):
        self.active = False
        return self._transition(self.deactivate)

    def on_cleanup(self, state):
        return self._transition(self.clean_up)

    def on_shutdown(self, state):
        self.active = False
        return TransitionCallbackReturn.SUCCESS

    def _transition(self, method) -> TransitionCallbackReturn:
        try:
            method()
        except Exception:
            self.get_logger().error(f"{method.__name__} failed:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS


def run_node(build: Callable[[], Node], arguments: list[str] | None = None) -> int:
    """Runs the node that `build` returns until a signal or an error; returns the exit status of the process."""
    stop = threading.Event()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # before any thread starts, so that all threads inherit it
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    executor = SteadyExecutor()
    threading.Thread(target=_end_on_signal, args=(stop, executor), daemon=True).start()
    node = None
    try:
        node = build()
        executor.add_node(node)
        if isinstance(node, ManagedNode) and node.autostart and not _started(node):
            return 1
        while not stop.is_set():
            executor.spin_once(timeout_sec=1.0)
        if hasattr(node, "farewell"):
            node.farewell()
        return 0
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        executor.shutdown()
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def _started(node: ManagedNode) -> bool:
    return (
        node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        and node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    )


def _end_on_signal(stop: threading.Event, executor: SteadyExecutor) -> None:
    number = signal.sigwait(SIGNALS)
    stop.set()
    executor.wake()
    again = signal.sigtimedwait(SIGNALS, GRACE)
    reason = "signalled again" if again else f"still busy {GRACE:g} s after {signal.Signals(number).name}"
    print(f"{sys.argv[0]}: {reason}, ending now", file=sys.stderr, flush=True)
    os._exit(128 + number)
