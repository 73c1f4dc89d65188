"""Who else publishes on a node's own topic: by what is heard, not by what is listed."""

from types import SimpleNamespace

import pytest

from mbrl_ros.nodes import rivals, topics

OWN, TWIN, EVIL = b"own", b"twin", b"evil"


class Node:
    """A guard, and what the middleware lists."""

    def __init__(self, monkeypatch, topic=topics.COMMANDS):
        self.listed = {OWN: "guard"}
        self.listener = None
        monkeypatch.setattr(rivals.topics, "subscription", self._listen)
        self.rivals = rivals.Rivals(self, topic)

    def _listen(self, node, topic, callback, raw):
        self.listener = callback
        return callback

    def get_fully_qualified_name(self):
        return "/guard"

    def resolve_topic_name(self, name):
        return f"/{name}"

    def count_publishers(self, name):
        return len(self.listed)

    def get_publishers_info_by_topic(self, name):
        return [SimpleNamespace(endpoint_gid=g, node_namespace="/", node_name=n) for g, n in self.listed.items()]

    def destroy_subscription(self, listener):
        self.listener = None

    def found(self, *heard):
        """After these have spoken; None: without saying who they are."""
        for gid in heard:
            self.listener(None, {"publisher_gid": {"data": gid}} if gid else {})
        return self.rivals.found()


@pytest.fixture
def node(monkeypatch):
    return Node(monkeypatch)


def test_alone_nothing_is_listened_to(node):
    assert node.found() == {} and node.listener is None


def test_who_speaks_beside_the_node_is_named_as_long_as_it_does(node):
    node.found()
    node.listed[EVIL] = "evil"
    assert node.found() == {}
    assert node.found(OWN, EVIL, OWN) == {EVIL: "/evil"}
    assert node.found(OWN) == {}, "it is listed, and says nothing"
    del node.listed[EVIL]
    assert node.found(OWN) == {} and node.listener is None


def test_second_one_of_the_same_name_is_told_from_the_node_itself(node):
    """Which gid is its own, it knows from when it was alone."""
    node.found()
    node.listed[TWIN] = "guard"
    assert node.found() == {}
    assert node.found(OWN, TWIN) == {TWIN: "/guard"}


def test_of_two_by_one_name_from_the_start_who_is_heard_alone_is_the_node_itself(node):
    node.listed[TWIN] = "guard"
    node.found()
    assert node.found(OWN) == {}
    assert node.found(OWN, TWIN) == {OWN: "/guard", TWIN: "/guard"}, "which of them it is, it cannot say"


def test_latched_word_holds_as_long_as_who_has_said_it_is_there(monkeypatch):
    node = Node(monkeypatch, topics.ROBOT_MODE)
    node.found()
    node.listed[EVIL] = "evil"
    node.found()
    assert node.found(EVIL) == {EVIL: "/evil"}
    assert node.found() == {EVIL: "/evil"}
    del node.listed[EVIL]
    assert node.found() == {}


def test_word_of_another_is_told_at_once_and_the_nodes_own_is_not(monkeypatch):
    node, contradictions = Node(monkeypatch), []
    node.rivals = rivals.Rivals(node, topics.COMMANDS, lambda: contradictions.append(1))
    node.found()
    node.listed[EVIL] = "evil"
    node.found()
    node.found(OWN, None, OWN)
    assert not contradictions
    node.listener(None, {"publisher_gid": {"data": EVIL}})
    assert len(contradictions) == 1


def test_without_gids_another_name_or_too_many_messages_give_it_away(node):
    node.found()
    node.listed[EVIL] = "evil"
    node.found()
    assert node.found(None) == {EVIL: "/evil"}
    node.listed = {OWN: "guard", TWIN: "guard"}
    node.rivals.sent = 10
    assert node.found(*[None] * 10) == {}
    node.rivals.sent = 10
    assert TWIN in node.found(*[None] * 20)
