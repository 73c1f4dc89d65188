"""Which model is flown: what is taken over and when, what is refused, and what a model that makes no plans leads to."""

from dataclasses import replace
from threading import Event

import numpy as np
import pytest
from learning_driver import CARTPOLE, SMALL, transition

from mbrl_ros.control.agent import Agent
from mbrl_ros.control.surprise import KEPT, SURPRISING, Surprises
from mbrl_ros.dynamics.calibration import Calibration
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.dynamics.native import NativeEnsemble
from mbrl_ros.dynamics.storage import Card, to_bytes
from mbrl_ros.nodes.flown import GIVE_UP_AFTER, MOST_REFUSED, MOST_WAITING
from mbrl_ros.nodes.flown_model import flown_model
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.settings import PlannerConfig

CONFIG = PlannerConfig(robot="cartpole", task="cartpole", action_map="joint", learning=True)


class Told(list):
    @property
    def last(self) -> str:
        return self[-1]


KNOWN = Calibration(band=0.1, usual=0.2, floor=0.05, inflation=1.0, width=0.2)


def card(version):
    return Card(CARTPOLE.name, CARTPOLE.layout_hash, version, 1.0, 0.1, 0.9, KNOWN)


def model():
    return new_ensemble(SMALL, FeatureLayout(CARTPOLE), 0)


def flown(version=None, surprises=None, **changes):
    """A model of that version, or none at all; its agent; and what was told, and noted by the way."""
    told = Told()
    agent = Agent(CARTPOLE, replace(CONFIG, **changes))
    first = (model(), card(version)) if version else None
    told.noted = []
    return flown_model(agent, first, told.append, told.noted.append, surprises), agent, told


def offered(models, version, spoil=lambda content: content):
    models.offer(spoil(to_bytes(model(), card(version))))
    models.take(wait=True)


def failing(models, ticks=GIVE_UP_AFTER):
    for _ in range(ticks):
        models.failed("no finite score")


def test_what_was_offered_is_flown_when_it_is_taken_and_not_before():
    models, agent, told = flown(1)
    models.offer(to_bytes(model(), card(2)))
    assert (agent.model_version, told) == (1, [])
    models.take(wait=True)
    assert (agent.model_version, models.swaps, told) == (2, 1, [""])


def test_a_model_is_ready_to_be_planned_with_before_it_is_taken_over():
    """Folding and packing weights is done beside the flown model, not between two ticks."""
    models, agent, _ = flown(1)
    taken = []
    agent.set_model = lambda model, version: taken.append(model)
    offered(models, 2)
    assert isinstance(taken[0], (NativeEnsemble, FoldedEnsemble))


def test_the_version_that_is_flown_already_is_not_taken_over_again():
    models, _, told = flown(1)
    offered(models, 1)
    assert (models.swaps, told) == (0, [])
    assert told.noted == ["ignored model 1: it is the one that is flown"]


def test_several_that_came_are_taken_over_in_their_order():
    models, agent, _ = flown()
    for version in (1, 2, 3):
        models.offer(to_bytes(model(), card(version)))
    models.take(wait=True)
    assert (agent.model_version, models.swaps) == (3, 3)


def test_damaged_bytes_change_nothing_and_their_version_stays_refused():
    models, agent, told = flown(1)
    offered(models, 2, lambda content: content[:-100])
    assert agent.model_version == 1 and told.last.startswith("refused a model: ")
    assert list(models.refused) == [2]
    offered(models, 2)
    assert agent.model_version == 1


def test_a_model_without_plans_is_given_up_for_the_one_before():
    models, agent, told = flown(1)
    offered(models, 2)
    failing(models)
    assert agent.model_version == 1
    assert models.refused == {2: "no finite score"}
    assert told.last == "back from model 2 to 1: no finite score"
    offered(models, 2)
    assert agent.model_version == 1


def test_a_model_that_makes_a_plan_now_and_then_is_kept():
    models, agent, _ = flown(1)
    for _ in range(3):
        failing(models, GIVE_UP_AFTER - 1)
        models.planned()
    assert agent.model_version == 1 and not models.refused


@pytest.mark.parametrize("learning, mode", [(True, "explore"), (False, "stand")])
def test_the_very_first_model_without_plans_is_given_up_for_none(learning, mode):
    models, agent, told = flown(1, learning=learning)
    assert agent.mode == "mppi"
    failing(models)
    assert (agent.mode, agent.model_version) == (mode, 0)
    assert models.refused == {1: "no finite score"}
    assert told.last == "model 1 is given up, and there is none to go back to: no finite score"
    failing(models)
    assert len(told) == 1, "there is nothing more to give up"


def test_after_none_the_next_version_is_flown_and_may_be_given_up_too():
    models, agent, _ = flown(1)
    failing(models)
    offered(models, 1)
    assert agent.mode == "explore"
    offered(models, 2)
    assert (agent.mode, agent.model_version) == ("mppi", 2)
    failing(models)
    assert agent.mode == "explore" and list(models.refused) == [1, 2]


def test_two_bad_versions_in_a_row_end_with_none():
    models, agent, _ = flown(1)
    offered(models, 2)
    failing(models)
    failing(models)
    assert agent.mode == "explore" and list(models.refused) == [2, 1]


def test_whoever_waits_for_a_version_waits_no_longer_once_it_is_flown_or_refused():
    models, _, _ = flown()
    assert models.newest_known == 0
    offered(models, 3)
    assert models.newest_known == 3
    offered(models, 5, lambda content: content[:-100])
    assert models.newest_known == 5


# What others may send without end


def test_what_is_remembered_of_refusals_does_not_grow_and_what_is_forgotten_is_judged_again():
    models, agent, told = flown(1)
    for version in range(2, MOST_REFUSED + 4):
        offered(models, version, lambda content: content[:-100])
    assert list(models.refused) == list(range(4, MOST_REFUSED + 4)) == list(models._never)
    assert models.newest_known == MOST_REFUSED + 3
    offered(models, 3)
    assert agent.model_version == 3
    offered(models, 4)
    assert agent.model_version == 3, "that one is remembered"


def test_one_that_is_refused_again_is_a_new_refusal():
    models, _, _ = flown(1)
    for version in (2, 3, 2):
        offered(models, version, lambda content: content[:-100])
    assert list(models.refused) == [3, 2]


def test_why_something_was_refused_is_told_in_few_words_whatever_was_sent():
    models, _, told = flown(1)
    offered(models, 2)
    models.give_up("x" * 100_000)
    assert len(models.refused[2]) < 300


def test_of_many_offers_the_newest_are_read():
    models, agent, told = flown(1)
    begin, may_end = Event(), Event()

    def slow():
        begin.set()
        may_end.wait()
        return to_bytes(model(), card(2))

    models.offer(slow)
    begin.wait()
    for version in range(3, 3 + 50):
        models.offer(to_bytes(model(), card(version)))
        assert len(models._loading) <= MOST_WAITING + 1
    may_end.set()
    models.take(wait=True)
    assert agent.model_version == 52 and models.swaps == MOST_WAITING + 1
    assert "passed over a model: newer ones wait" in told.noted


# Models that are compared on what the robot did


def poisoned(version):
    """The untrained model says that little changes; this one says otherwise."""
    wrong = model()
    for bias in wrong.biases:
        bias.add_(3.0)
    return to_bytes(wrong, card(version))


def still(surprises, models, count):
    """A robot that stands still, in steps."""
    state = np.zeros(FeatureLayout(CARTPOLE).size, np.float32)
    for k in range(count):
        found = surprises.look(transition(k, state, [0.0], following=state), models.flown.found, models.before.found)
        if found and found.better is not None:
            models.give_up(found.reason)
            return k + 1
    return None


def test_a_poisoned_model_is_refused_before_it_is_flown_and_whoever_waits_for_it_waits_no_longer():
    surprises = Surprises(FeatureLayout(CARTPOLE).scales)
    models, agent, told = flown(1, surprises)
    assert still(surprises, models, KEPT) is None
    models.offer(poisoned(2))
    models.take(wait=True)
    assert (agent.model_version, models.swaps, models.newest_known) == (1, 0, 2)
    assert told.last.startswith("refused model 2: on the newest 50 steps")
    models.offer(poisoned(2))
    models.take(wait=True)
    assert told.noted[-1].startswith("ignored model 2: on the newest 50 steps")
    offered(models, 3)
    assert agent.model_version == 3


def test_a_poisoned_model_that_came_before_anything_was_known_is_rolled_back_within_half_a_second():
    surprises = Surprises(FeatureLayout(CARTPOLE).scales)
    models, agent, told = flown(1, surprises)
    models.offer(poisoned(2))
    models.take(wait=True)
    assert agent.model_version == 2, "nothing was known against it"
    assert still(surprises, models, 25) == SURPRISING
    assert agent.model_version == 1 and told.last.startswith("back from model 2 to 1: one-step error")
    models.offer(poisoned(2))
    models.take(wait=True)
    assert agent.model_version == 1


def test_the_agent_doubts_by_the_calibration_of_what_is_flown():
    models, agent, _ = flown(1)
    assert agent.trust.calibration == KNOWN
    failing(models)
    assert agent.trust.calibration is None
