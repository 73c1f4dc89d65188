"""How often the guard speaks, whoever makes it."""

import pytest

from mbrl_ros.safety.rate import BURST, Rate

MS = 1_000_000
MOST = 200.0  # Hz


def allowed(rate: Rate, moments) -> list[float]:
    """Those (ms) at which a command was sent."""
    sent = []
    for ms in moments:
        if rate.allows(round(ms * MS)):
            rate.sent(round(ms * MS))
            sent.append(ms)
    return sent


@pytest.mark.parametrize("period_ms", [0.1, 1.0, 3.0])
def test_however_often_it_is_asked_it_sends_no_more_than_it_may_and_never_falls_silent(period_ms):
    sent = allowed(Rate(MOST), [k * period_ms for k in range(round(3000 / period_ms))])
    assert 0.8 * 3 * MOST < len(sent) <= 3 * MOST + BURST
    assert max(b - a for a, b in zip(sent, sent[1:], strict=False)) < 25, "drivers damp after 50"


def test_a_sample_every_10_ms_and_the_plan_that_answers_every_second_one_are_never_held_up():
    moments = sorted([10.0 * k for k in range(300)] + [20.0 * k + delay % 10 for k, delay in enumerate(range(1, 151))])
    assert allowed(Rate(MOST), moments) == moments


def test_a_sample_may_come_a_little_early():
    rate = Rate(MOST)
    allowed(rate, [0, 5, 10, 15])
    assert not rate.allows(19 * MS) and rate.allows(19 * MS, early=0.1)
    assert not rate.allows(17 * MS, early=0.1)
