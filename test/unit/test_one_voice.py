"""Whose messages are taken on a topic that belongs to one node."""

from mbrl_ros.nodes import heartbeats
from mbrl_ros.nodes.endpoints import NAMELESS
from mbrl_ros.nodes.one_voice import INTRODUCED_NS, PRESENT_NS, SILENT_NS, OneVoice

OWNER, EVIL = "/planner", "/evil"
A, B, C = b"a", b"b", b"c"
SOON, LATER = SILENT_NS // 10, SILENT_NS + 1


class Topic:
    """What the middleware lists, and steady time."""

    def __init__(self, outlived=None, **nodes):
        self.listed = {name.encode(): node for name, node in nodes.items()}
        self.now_ns = 0
        self.looks = 0
        self.voice = OneVoice(OWNER, self._look, outlived)

    def _look(self):
        self.looks += 1
        return dict(self.listed)

    def says(self, gid, after=SOON):
        """Whether a message is taken."""
        self.now_ns += after
        return self.voice.hears(gid, self.now_ns)

    def strangers(self, after=0):
        self.now_ns += after
        return self.voice.strangers(self.now_ns)


def test_owner_is_heard_and_a_stranger_beside_it_never_is():
    topic = Topic(a=OWNER, b=EVIL)
    assert topic.says(A)
    for _ in range(5):
        assert not topic.says(B)
        assert topic.says(A)
    assert topic.strangers() == {B: EVIL}


def test_stranger_that_was_first_gives_way_to_the_owner():
    topic = Topic(b=EVIL)
    assert topic.says(B) and not topic.strangers()
    topic.listed[A] = OWNER
    assert topic.says(A)
    assert not topic.says(B) and topic.says(A)
    assert topic.strangers() == {B: EVIL}


def test_stranger_has_no_word_where_an_owner_is_listed_that_has_not_spoken_yet():
    topic = Topic(a=OWNER, b=EVIL)
    assert not topic.says(B)
    assert topic.says(A)


def test_planner_that_starts_again_is_heard_although_the_dead_one_is_still_listed():
    topic = Topic(a=OWNER)
    assert topic.says(A)
    topic.listed[B] = OWNER
    assert topic.says(B, after=LATER)
    assert topic.says(B) and not topic.strangers()


def test_second_planner_is_refused_as_long_as_the_first_speaks_and_heard_when_that_ends():
    topic = Topic(a=OWNER, b=OWNER)
    assert topic.says(A) and not topic.says(B) and topic.says(A)
    assert topic.strangers() == {B: OWNER}
    assert not topic.says(B)
    assert topic.says(B, after=LATER) and not topic.strangers()


def test_stranger_never_takes_the_place_of_a_planner_that_died():
    topic = Topic(a=OWNER, b=EVIL)
    assert topic.says(A) and not topic.says(B)
    assert not topic.says(B, after=LATER)
    del topic.listed[A]
    assert not topic.says(B, after=LATER), "it spoke beside the owner"
    assert not topic.strangers(after=PRESENT_NS + 1)
    assert not topic.says(B), "a pause changes nothing"
    topic.listed[C] = OWNER
    assert topic.says(C)


def test_stranger_that_went_may_come_again_alone():
    topic = Topic(a=OWNER, b=EVIL)
    assert topic.says(A) and not topic.says(B)
    topic.listed = {}
    assert not topic.strangers()
    topic.listed = {C: EVIL}
    assert topic.says(C)


def test_stranger_that_fell_silent_is_no_longer_named():
    topic = Topic(a=OWNER, b=EVIL)
    assert topic.says(A) and not topic.says(B)
    assert topic.strangers(after=PRESENT_NS) == {B: EVIL}
    assert not topic.strangers(after=1)
    assert not topic.says(B)
    assert topic.strangers() == {B: EVIL}


def test_planner_of_another_name_is_heard_alone_and_so_is_the_next_one():
    topic = Topic(b="/my_planner")
    assert topic.says(B)
    topic.listed[C] = "/my_planner"
    assert not topic.says(C)
    assert topic.says(C, after=LATER)


def test_who_is_not_listed_yet_is_not_heard_beside_the_owner():
    topic = Topic(a=OWNER)
    assert topic.says(A) and not topic.says(B) and not topic.strangers()
    topic.listed[B] = EVIL
    assert not topic.says(B) and topic.strangers() == {B: EVIL}


def test_who_is_not_listed_yet_is_heard_where_nobody_else_is_there():
    topic = Topic()
    assert topic.says(A)
    topic.listed[A] = OWNER
    assert topic.says(A) and not topic.strangers()


def test_who_never_gives_a_name_is_told_of_and_never_heard_beside_the_owner():
    for topic in (Topic(a=OWNER, b=NAMELESS), Topic(a=OWNER)):
        for _ in range(10):
            assert topic.says(A) and not topic.says(B)
        topic.says(A, after=INTRODUCED_NS)
        assert not topic.says(B) and topic.strangers() == {B: NAMELESS}
        looks = topic.looks
        assert not topic.says(B) and topic.looks == looks
        assert not topic.strangers(after=PRESENT_NS + 1)


def test_owner_whose_name_is_not_known_yet_is_not_barred_for_it():
    topic = Topic(a=OWNER, b=NAMELESS)
    assert topic.says(A) and not topic.says(B) and not topic.strangers()
    topic.listed[B] = OWNER
    assert topic.says(B, after=LATER)


def test_where_messages_are_rare_silence_says_nothing_and_the_first_keeps_the_word_until_it_has_gone():
    topic = Topic(outlived=lambda older, newer, now_ns: False, a=OWNER, b=OWNER)
    assert topic.says(A)
    assert not topic.says(B, after=100 * LATER)
    assert topic.strangers(after=100 * PRESENT_NS) == {B: OWNER}
    del topic.listed[A]
    assert topic.says(B) and not topic.strangers()


def test_where_messages_are_rare_who_comes_later_is_named_only_once_both_are_known_to_live():
    asked, verdicts = [], [None, False, None, True]
    topic = Topic(outlived=lambda older, newer, now_ns: asked.append((older, newer)) or verdicts[len(asked) - 1])
    topic.listed = {A: OWNER, B: OWNER}
    assert topic.says(A) and not topic.says(B) and not topic.strangers()
    assert not topic.says(B) and topic.strangers() == {B: OWNER}
    assert not topic.says(B)
    assert topic.says(B) and not topic.strangers()
    assert asked == [(A, B)] * 4


def test_without_gids_nobody_is_trusted_while_a_stranger_stands_beside_the_owner():
    topic = Topic(a=OWNER)
    assert topic.says(None)
    topic.listed[B] = EVIL
    assert not topic.says(None)
    assert topic.strangers() == {B: EVIL}
    del topic.listed[B]
    assert topic.says(None) and not topic.strangers()


def test_without_gids_planners_that_start_again_and_planners_of_any_name_are_heard():
    topic = Topic(a=OWNER, b=OWNER)
    assert topic.says(None)
    topic.listed = {C: "/my_planner"}
    assert topic.says(None)


def test_flood_of_a_strangers_messages_costs_no_look_into_the_graph():
    topic = Topic(a=OWNER, b=EVIL, c=OWNER)
    assert topic.says(A) and not topic.says(B) and not topic.says(C, after=0)
    looks = topic.looks
    for _ in range(100):
        assert not topic.says(B, after=0) and not topic.says(C, after=0) and topic.says(A, after=0)
    assert topic.looks == looks


class Diagnostics:
    """What heartbeats hear: the messages of processes, by their gids."""

    def __init__(self, monkeypatch):
        self.listener = None
        monkeypatch.setattr(heartbeats.topics, "subscription", self._listen)
        self.heartbeats = heartbeats.Heartbeats(self)

    def _listen(self, node, topic, callback, raw):
        self.listener = callback
        return callback

    def destroy_subscription(self, listener):
        assert listener is self.listener
        self.listener = None

    def says(self, *gids):
        for gid in gids:
            self.listener(None, {"publisher_gid": {"data": gid + b"writer of diagnostics"}})


OLD, NEW = b"process one!", b"process two!"


def test_of_two_processes_the_older_one_is_dead_once_only_the_newer_one_is_heard_for_a_while(monkeypatch):
    graph = Diagnostics(monkeypatch)
    outlived = lambda seconds: graph.heartbeats.outlived(OLD + b"abcd", NEW + b"abcd", round(seconds * 1e9))  # noqa: E731
    assert outlived(100.0) is None
    graph.says(OLD, NEW)
    assert outlived(103.5) is False, "both live"
    graph.says(NEW)
    assert outlived(106.0) is False
    graph.says(NEW)
    assert outlived(107.0) is True, "the old one has died since"
    graph.heartbeats.stop()
    assert graph.listener is None


def test_processes_that_say_nothing_of_themselves_are_not_dead_for_it(monkeypatch):
    graph = Diagnostics(monkeypatch)
    assert graph.heartbeats.outlived(OLD, NEW, 0) is None
    assert graph.heartbeats.outlived(OLD, NEW, 10**11) is False
