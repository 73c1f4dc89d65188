"""How often the guard says the robot's mode, so that another's word on it does not last."""

from types import SimpleNamespace

import pytest

from mbrl_ros.nodes import company, topics
from mbrl_ros.nodes.self_report import DIAGNOSTICS_PERIOD
from mbrl_ros.types import NS


@pytest.fixture
def around(monkeypatch):
    """The company of a guard, what it was given to call, and the time."""
    rivals, clock = {}, SimpleNamespace(now_ns=1)
    monkeypatch.setattr(company, "Heeded", lambda *_: SimpleNamespace(trouble="", unopened=0))
    monkeypatch.setattr(
        company, "Rivals", lambda node, topic, contradicted=None: rivals.setdefault(topic, contradicted)
    )
    monkeypatch.setattr(company.time, "monotonic_ns", lambda: clock.now_ns)
    node = SimpleNamespace(create_timer=lambda *_, **__: None, active=True)
    there = company.Company(node, topics.COMMANDS, None, None)
    return SimpleNamespace(due=there.mode_is_due, another_says=rivals[topics.ROBOT_MODE], clock=clock)


def test_mode_is_said_again_as_often_as_diagnostics(around):
    assert around.due() and not around.due()
    around.clock.now_ns += round(DIAGNOSTICS_PERIOD * NS) - 1
    assert not around.due()
    around.clock.now_ns += 1
    assert around.due() and not around.due()


def test_mode_is_said_again_at_once_where_another_says_one(around):
    assert around.due()
    around.another_says()
    assert around.due() and not around.due()
