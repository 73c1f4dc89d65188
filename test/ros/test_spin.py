"""The executor that every node spins in."""

import time

import pytest
import rclpy
from conftest import PATIENCE
from std_msgs.msg import String

from mbrl_ros.nodes import spin, topics

WORDS = topics.Topic("words", String, "reliable 50", "test", "test")


def test_subscription_made_and_destroyed_in_a_callback_is_noticed(probe):
    second, publisher = [], probe.publisher(WORDS)

    def listen_once(message):
        probe.node.destroy_subscription(first)
        topics.subscription(probe.node, WORDS, second.append)

    first = topics.subscription(probe.node, WORDS, listen_once)
    probe.until_connected(publisher)
    publisher.publish(String(data="one"))
    probe.until(lambda: publisher.get_subscription_count() == 1 and first not in probe.node.subscriptions, "the change")
    publisher.publish(String(data="two"))
    probe.until(lambda: second, "the second subscription")
    assert [m.data for m in second] == ["two"]


def test_messages_of_one_topic_arrive_in_order_and_all(probe):
    publisher, heard = probe.publisher(WORDS), probe.collect(WORDS, lambda m: int(m.data))
    probe.until_connected(publisher)
    for k in range(40):
        publisher.publish(String(data=str(k)))
    probe.until(lambda: len(heard) == 40, "all messages")
    assert heard == list(range(40))


def test_timers_fire_until_they_are_cancelled(probe):
    fired = []

    def fire():
        fired.append(True)
        if len(fired) == 3:
            timer.cancel()

    timer = probe.node.create_timer(0.01, fire)
    probe.until(lambda: len(fired) == 3, "three times")
    probe.spin(0.1)
    assert len(fired) == 3


def test_services_answer_while_topics_keep_coming(probe):
    entry, publisher = topics.ESTOP, probe.publisher(WORDS)
    topics.subscription(probe.node, WORDS, publisher.publish)  # one message is always on its way
    topics.service(probe.node, entry, lambda: (True, "stopped"))
    probe.until_connected(publisher)
    publisher.publish(String())
    assert probe.call(entry).message == "stopped"


def test_coroutine_callback_goes_on_when_what_it_waits_for_is_there(probe):
    heard, publisher = [], probe.publisher(WORDS)
    topics.service(probe.node, topics.ESTOP, lambda: (True, "stopped"))
    client = topics.client(probe.node, topics.ESTOP)

    async def ask(message):
        heard.append("asking")
        answer = await client.call_async(topics.ESTOP.type.Request())
        heard.append(answer.message)

    topics.subscription(probe.node, WORDS, ask)
    probe.until_connected(publisher)
    publisher.publish(String())
    probe.until(lambda: len(heard) == 2, "the answer")
    assert heard == ["asking", "stopped"]


def test_exception_of_a_callback_comes_out_of_spinning(probe):
    def fail():
        raise ZeroDivisionError("on purpose")

    probe.node.create_timer(0.01, fail)
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        probe.spin(1.0)


def test_two_nodes_share_an_executor(probe):
    other = rclpy.create_node("other", context=probe.context)
    probe.executor.add_node(other)
    fired = []
    other.create_timer(0.01, lambda: fired.append(True))
    probe.until(lambda: fired, "the other node's timer")
    probe.executor.remove_node(other)
    other.destroy_node()
    probe.spin(0.05)


def test_services_answer_while_a_node_always_has_something_to_do_at_once(probe):
    topics.service(probe.node, topics.ESTOP, lambda: (True, "stopped"))
    client = topics.client(probe.node, topics.ESTOP)
    probe.until(client.service_is_ready, "the service")
    asked = client.call_async(topics.ESTOP.type.Request())
    deadline = time.monotonic() + PATIENCE
    while not asked.done():
        assert time.monotonic() < deadline
        probe.executor.spin_once(0.0)
    assert asked.result().message == "stopped"


def test_an_urgent_service_is_served_though_no_other_is_looked_at(probe, monkeypatch):
    served = []
    service = topics.service(probe.node, topics.ESTOP, lambda: (served.append("estop") or True, ""))
    topics.service(probe.node, topics.STAND_UP, lambda: (served.append("stand_up") or True, ""))
    probe.node.urgent = (service,)
    clients = [topics.client(probe.node, entry) for entry in (topics.STAND_UP, topics.ESTOP)]
    probe.until(lambda: all(client.service_is_ready() for client in clients), "the services")
    monkeypatch.setattr(spin, "MOST_SERVICE_PERIOD", 1e9)
    for client in clients:
        client.call_async(client.srv_type.Request())
    deadline = time.monotonic() + PATIENCE
    while not served:
        assert time.monotonic() < deadline
        probe.executor.spin_once(0.0)  # always something to do
    assert served == ["estop"]
