"""How often the guard speaks, whoever makes it."""

import pytest

from mbrl_ros.safety.rate import BURST, Rate

MS = 1_000_000
MOST = 200.0  # Hz


def allowed(rate: Rate, moments) -> list[float]:
    """Those (ms) at which a command was sent."""
    sent = []
    for ms in moments:
        if rate.takes(round(ms * MS)):
            sent.append(ms)
    return sent


@pytest.mark.parametrize("period_ms", [0.1, 1.0, 3.0])
def test_however_often_it_is_asked_it_sends_no_more_than_it_may_and_never_falls_silent(period_ms):
    sent = allowed(Rate(MOST), [k * period_ms for k in range(round(3000 / period_ms))])
    assert 0.8 * 3 * MOST < len(sent) <= 3 * MOST + BURST
    assert max(b - a for a, b in zip(sent, sent[1:], strict=False)) < 1000 * BURST / MOST + 1


def test_what_comes_seldom_enough_is_never_held_up_however_late_some_of_it_is():
    moments = [10.0 * k + 37 * k % 10 for k in range(300)]
    assert allowed(Rate(MOST), moments) == moments


def test_a_sample_may_come_a_little_early():
    rate = Rate(MOST)
    allowed(rate, [5 * k for k in range(BURST)])
    assert not rate.takes(44 * MS, early=0.1)
    assert not rate.takes(46 * MS) and rate.takes(46 * MS, early=0.1)
