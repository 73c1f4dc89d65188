"""How late targets take effect, found in the data."""

from types import SimpleNamespace

import numpy as np
import pytest

from mbrl_ros.control.latency import AGREEING, EVERY, FEWEST, LONGEST, LatencyEstimate
from mbrl_ros.types import Flag, Transition

JOINTS, DT_NS = 3, 20_000_000
LAYOUT = SimpleNamespace(
    joint_position=slice(0, JOINTS), joint_velocity=slice(JOINTS, 2 * JOINTS), spec=SimpleNamespace(dt_ns=DT_NS)
)
ENOUGH = FEWEST + AGREEING * EVERY


class Servos:
    """Joints that are pulled to the target of `late` steps ago; transitions say the target of `shift` steps ago."""

    def __init__(self, late, shift=0, noise=0.0, seed=0):
        self.late, self.shift, self.noise = late, shift, noise
        self.rng = np.random.default_rng(seed)
        self.position, self.velocity = np.zeros(JOINTS), np.zeros(JOINTS)
        self.told = [np.zeros(JOINTS)] * (LONGEST + 1)
        self.count = 0

    def measured(self):
        return np.concatenate([self.position, self.velocity]) + self.noise * self.rng.normal(size=2 * JOINTS)

    def step(self, gap_ns=0) -> Transition:
        before = self.measured()
        self.told.append(0.7 * self.told[-1] + 0.5 * self.rng.normal(size=JOINTS))
        pull = self.told[-1 - self.late] - self.position
        self.velocity = 0.6 * self.velocity + 2.0 * pull + 0.1 * self.rng.normal(size=JOINTS)
        self.position = self.position + 0.02 * self.velocity
        self.count += 1
        action = self.told[-1 - self.shift]
        stamp = self.count * DT_NS + gap_ns
        return Transition(
            before, action, self.measured(), np.zeros(3), 0.0, 0.0, False, Flag(0), self.count, stamp, 0, 1
        )


@pytest.mark.parametrize("late", range(LONGEST + 1))
def test_finds_the_delay_of_the_servos_and_keeps_to_it(late):
    servos, estimate = Servos(late), LatencyEstimate(LAYOUT, 0)
    changes = 0
    for _ in range(3 * ENOUGH):
        changed = estimate.add(servos.step())
        changes += changed
        if changed:
            servos.shift = estimate.steps  # as whoever pairs states and targets has to do
    assert (estimate.steps, changes) == (late, int(late > 0))


def test_a_delay_that_was_told_too_long_is_found_to_be_shorter():
    servos, estimate = Servos(late=1, shift=4), LatencyEstimate(LAYOUT, 4)
    assert any([estimate.add(servos.step()) for _ in range(ENOUGH)])
    assert estimate.steps == 1


def test_says_nothing_before_there_is_enough_to_look_at():
    servos, estimate = Servos(late=2), LatencyEstimate(LAYOUT, 0)
    assert not any(estimate.add(servos.step()) for _ in range(FEWEST))


@pytest.mark.parametrize("seed", range(5))
def test_sees_through_noise(seed):
    servos, estimate = Servos(late=2, noise=0.2, seed=seed), LatencyEstimate(LAYOUT, 0)
    for _ in range(4 * ENOUGH):
        if estimate.add(servos.step()):
            servos.shift = estimate.steps
    assert estimate.steps == 2


def test_a_robot_that_stands_still_proves_nothing():
    servos, estimate = Servos(late=2), LatencyEstimate(LAYOUT, 0)
    still = servos.step()
    for k in range(2 * ENOUGH):
        object.__setattr__(still, "sequence", k)
        object.__setattr__(still, "stamp_ns", k * DT_NS)
        assert not estimate.add(still)


def test_gaps_are_never_bridged():
    servos, estimate = Servos(late=2), LatencyEstimate(LAYOUT, 0)
    gap = 0
    for k in range(3 * ENOUGH):
        gap += DT_NS if k % (2 * LONGEST) == 0 else 0
        assert not estimate.add(servos.step(gap))
