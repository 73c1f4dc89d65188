"""Lifecycle transitions of a node in this process: what is created with one configure is gone before the next."""

import threading

import pytest
import rclpy
from asking import ask
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String

from mbrl_ros.config import ConfigError
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.guard import Guard
from mbrl_ros.nodes.learner import LearnerNode
from mbrl_ros.nodes.planner import Planner
from mbrl_ros.nodes.run import ManagedNode
from mbrl_ros.nodes.spin import SteadyExecutor

WORDS = topics.Topic("words", String, "reliable 50", "test", "test")
SUCCESS = TransitionCallbackReturn.SUCCESS
SETTINGS = ("planner:model:=scratch", "learner:model:=scratch", "planner:lockstep:=true", "learner:lockstep:=true")


@pytest.fixture
def ros(domain):
    arguments = ["--ros-args", *(word for setting in SETTINGS for word in ("-p", setting))]
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    yield
    rclpy.shutdown()


@pytest.fixture
def built(ros):
    nodes = []

    def build(kind):
        nodes.append(kind())
        return nodes[-1]

    yield build
    for node in nodes:
        node.destroy_node()


def entities(node):
    """Names, so that a failure shows which."""
    return {
        "publishers": sorted(p.topic_name for p in node.publishers),
        "subscriptions": sorted(s.topic_name for s in node.subscriptions),
        "services": sorted(s.srv_name for s in node.services),
        "clients": sorted(c.srv_name for c in node.clients),
        "timers": len(list(node.timers)),
        "waitables": len(list(node.waitables)),
    }


@pytest.mark.parametrize("kind", [Guard, Planner, LearnerNode])
def test_cleanup_leaves_what_was_there_before_and_a_second_configure_makes_the_same_again(built, kind):
    node = built(kind)
    before = entities(node)
    assert node.trigger_configure() == node.trigger_activate() == SUCCESS
    first = entities(node)
    assert first["timers"] > before["timers"] and len(first["subscriptions"]) > len(before["subscriptions"])
    assert node.trigger_deactivate() == node.trigger_cleanup() == SUCCESS
    assert entities(node) == before
    assert node.trigger_configure() == node.trigger_activate() == SUCCESS
    assert entities(node) == first and node.active


class Listener(ManagedNode):
    fails: Exception | None = None

    def __init__(self):
        super().__init__("listener")
        self.heard, self.ticks, self.cleaned = [], 0, 0

    def configure(self):
        topics.subscription(self, WORDS, lambda message: self.heard.append(message.data))
        self.create_timer(0.01, self.tick)
        if self.fails:
            raise self.fails

    def clean_up(self):
        self.cleaned += 1

    def tick(self):
        self.ticks += 1


def test_the_executor_serves_what_the_newest_configure_made_and_nothing_else(built, probe):
    node, executor = built(Listener), SteadyExecutor()
    executor.add_node(node)
    publisher, client = probe.publisher(WORDS), probe.node.create_client(ChangeState, "listener/change_state")

    def until(condition, what):
        probe.until(lambda: executor.spin_once(0.01) or condition(), what)

    def change(number):
        assert ask(until, client, ChangeState.Request(transition=Transition(id=number)), "change_state").success

    def say(word):
        until(lambda: publisher.get_subscription_count() == 1, "one subscription")
        publisher.publish(String(data=word))
        until(lambda: word in node.heard, word)

    change(Transition.TRANSITION_CONFIGURE)
    say("one")
    change(Transition.TRANSITION_CLEANUP)
    ticks = node.ticks
    until(lambda: publisher.get_subscription_count() == 0, "no subscription")
    assert node.ticks == ticks
    change(Transition.TRANSITION_CONFIGURE)
    say("two")
    until(lambda: node.ticks > ticks + 2, "the timer")
    assert node.heard == ["one", "two"]
    executor.shutdown()


def test_what_a_failed_configure_has_made_is_gone(built):
    node = built(Listener)
    before = entities(node)
    node.fails = RuntimeError("on purpose")
    assert node.trigger_configure() == TransitionCallbackReturn.ERROR
    assert entities(node) == before and node.cleaned == 1
    node.fails = None
    assert node.trigger_configure() == SUCCESS


@pytest.mark.parametrize("error", [ConfigError("robot: unknown"), FileNotFoundError("no model at /nowhere")])
def test_what_a_person_can_mend_is_one_line(built, capfd, error):
    node = built(Listener)
    node.fails = error
    assert node.trigger_configure() == TransitionCallbackReturn.ERROR
    said = capfd.readouterr().err
    assert f"configure failed: {error}" in said and "Traceback" not in said


def test_planner_that_failed_leaves_no_thread_behind(built, monkeypatch):
    def loaders():
        return [thread for thread in threading.enumerate() if thread.name.startswith(("model", "policy"))]

    node = built(Planner)
    assert node.trigger_configure() == SUCCESS
    for flown in (node._flying.models, node._flying.policies):
        flown._loader.submit(int).result()
    assert len(loaders()) == 2
    monkeypatch.setattr(node, "activate", lambda: 1 / 0)
    assert node.trigger_activate() == TransitionCallbackReturn.ERROR
    for thread in loaders():
        thread.join(10.0)
    assert not loaders()
