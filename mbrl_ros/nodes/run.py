"""How the process of a node starts, spins and ends.

    def main() -> int:
        return run_node(Guard)

A node may have `work() -> float`: it is called between two rounds of callbacks and says after how many seconds at the
latest it wants to be called again (0: at once). So long work is done in slices, and a simulation keeps its own time.

SIGINT and SIGTERM end the spinning between two callbacks, so that a node can still say its last word in `farewell()`;
a second one, or a callback that does not return for CALLBACK_PATIENCE seconds, ends the process at once. Exit status:
0 after a signal, 1 after an uncaught exception or a failed lifecycle transition, both with the reason on stderr.

A line of the log is lost rather than waited for where nobody reads the pipe that it goes into: a terminal stopped with
Ctrl-S must not stop a robot.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
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

CALLBACK_PATIENCE = 5.0  # s, of a node started by hand or by launch; `mbrl up` kills its own sooner (up/command.py)
IDLE = 1.0  # s
STDERR = 2
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ManagedNode(LifecycleNode):
    """A lifecycle node with plain methods: an exception in one is printed, where rclpy would swallow it.

    `active` says whether the node may act. Overload what is needed; each is called in the named transition. Publishers,
    subscriptions, services, clients and timers created from `configure` on end with the cleanup, or with an error.
    """

    active = False
    urgent = ()  # services that are served before any topic

    def __init__(self, name: str):
        super().__init__(name)
        self.autostart = self.declare_parameter("autostart", True).value

    def configure(self) -> None: ...

    def activate(self) -> None: ...

    def deactivate(self) -> None: ...

    def clean_up(self) -> None: ...

    def on_configure(self, state):
        self._lasting = self._entities()  # those of parameters and of the lifecycle itself
        return self._transition(self.configure)

    def on_activate(self, state):
        result = self._transition(self.activate)
        self.active = result == TransitionCallbackReturn.SUCCESS
        return result

    def on_deactivate(self, state):
        self.active = False
        return self._transition(self.deactivate)

    def on_cleanup(self, state):
        result = self._transition(self.clean_up)
        self._destroy_configured()
        return result

    def on_error(self, state):
        try:
            self.clean_up()
        except Exception as error:  # what it ends may not have been made yet
            self.get_logger().debug(f"clean_up after an error: {error!r}")
        self._destroy_configured()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state):
        self.active = False
        return TransitionCallbackReturn.SUCCESS

    def _destroy_configured(self) -> None:
        for entity, destroy in self._entities().items():
            if entity not in self._lasting:
                destroy(entity)

    def _entities(self) -> dict:
        """What the node has now, each with the way to destroy it."""
        kinds = (
            (self.publishers, self.destroy_publisher),
            (self.subscriptions, self.destroy_subscription),
            (self.services, self.destroy_service),
            (self.clients, self.destroy_client),
            (self.timers, self.destroy_timer),
        )
        return {entity: destroy for entities, destroy in kinds for entity in entities}

    def _transition(self, method) -> TransitionCallbackReturn:
        try:
            method()
        except (ConfigError, FileNotFoundError) as error:  # what a person can mend: no traceback
            self.get_logger().error(f"{method.__name__} failed: {error}")
            return TransitionCallbackReturn.ERROR
        except Exception:
            self.get_logger().error(f"{method.__name__} failed:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS


def run_node(build: Callable[[], Node], arguments: list[str] | None = None) -> int:
    """Runs the node that `build` returns until a signal or an error; returns the exit status of the process."""
    stop = threading.Event()
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    executor = SteadyExecutor()
    threading.Thread(target=_end_on_signal, args=(_signal_numbers(), stop, executor), daemon=True).start()
    node = None
    try:
        node = build()
        executor.add_node(node)
        if isinstance(node, ManagedNode):
            _never_wait_for_readers(STDERR)
            if node.autostart and not _started(node):
                return 1
        work = getattr(node, "work", lambda: IDLE)
        patience = 0.0
        while not stop.is_set():
            executor.spin_once(patience)
            patience = work()
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


def _never_wait_for_readers(log: int) -> None:
    """Through an opening of our own: whoever else writes to this pipe goes on waiting. A terminal is left as it is."""
    path = f"/proc/self/fd/{log}"
    if os.path.exists(path) and stat.S_ISFIFO(os.fstat(log).st_mode):
        own = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        os.dup2(own, log)
        os.close(own)


def _signal_numbers() -> socket.socket:
    """A socket with one byte for each signal received, written at once whatever the main thread is busy with."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing.detach())
    return reading


def _end_on_signal(numbers: socket.socket, stop: threading.Event, executor: SteadyExecutor) -> None:
    number = numbers.recv(1)[0]
    stop.set()
    executor.wake()
    numbers.settimeout(CALLBACK_PATIENCE)
    try:
        numbers.recv(1)
        reason = "signalled again"
    except TimeoutError:
        reason = f"still busy {CALLBACK_PATIENCE:g} s after {signal.Signals(number).name}"
    print(f"{sys.argv[0]}: {reason}, ending now", file=sys.stderr, flush=True)
    os._exit(128 + number)
