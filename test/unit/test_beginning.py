"""Which version a learner that starts again goes on from: one that is what its card says, by the data of the run."""

from dataclasses import replace

import pytest
from learning_driver import CARTPOLE, linear_run, quick_config

from mbrl_ros.chaos.poison import poisoned
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.storage import from_bytes, to_bytes
from mbrl_ros.learning.beginning import begin_well
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.models import Versions
from mbrl_ros.robots.features import FeatureLayout

LAYOUT = FeatureLayout(CARTPOLE)
RUN = linear_run(400, seed=4)


@pytest.fixture(scope="module")
def promoted():
    """The run's versions, as the learner promoted them on its data."""
    learner, found = Learner(CARTPOLE, quick_config()), []
    for t in RUN:
        learner.add(t)
        if learner.due():
            list(learner.train())
            if learner.judge().promoted:
                found.append(to_bytes(learner.incumbent, learner.card))
    assert len(found) >= 3
    return found


@pytest.fixture
def again(tmp_path):
    """A learner that has started again, with what was promoted lying in its folder."""

    def build(contents, run=RUN):
        versions = Versions(tmp_path, LAYOUT)
        for content in contents:
            versions.save(number(content), content)
        learner = Learner(CARTPOLE, quick_config(), *versions.newest()[:2])
        learner.version = versions.highest()
        for t in run:
            learner.add(t)
        return learner, versions

    return build


def number(content):
    return from_bytes(content, LAYOUT)[1].version


def spoilt(content, by=1):
    return poisoned(content, number(content) + by)


def begun(learner, versions, start=None):
    kept, refused = begin_well(learner, versions, start)
    return kept and kept[1].version, refused, learner.card and learner.card.version


def test_what_is_as_its_card_says_is_gone_on_from_and_nothing_is_changed(again, promoted):
    learner, versions = again(promoted)
    before = learner.incumbent
    assert begun(learner, versions) == (number(promoted[-1]), {}, number(promoted[-1]))
    assert learner.incumbent is before


@pytest.mark.parametrize("count", [1, 2])
def test_poisoned_newest_versions_are_refused_and_the_one_before_is_gone_on_from(again, promoted, count):
    good = number(promoted[-1])
    learner, versions = again([*promoted, *(spoilt(promoted[-1], 1 + k) for k in range(count))])
    kept, refused, flown = begun(learner, versions)
    assert (kept, flown, sorted(refused)) == (good, good, [good + 1 + k for k in range(count)])
    assert "its card says" in refused[good + 1]
    assert learner.version == good + count, "numbers are never used again"


def test_a_version_that_knows_nothing_is_no_match_for_the_one_before(again, promoted):
    """Though it is as good as one that has learned nothing."""
    config, card = quick_config(), from_bytes(promoted[-1], LAYOUT)[1]
    ignorant = to_bytes(new_ensemble(config.ensemble, LAYOUT, config.seed), replace(card, version=card.version + 1))
    learner, versions = again([*promoted, ignorant])
    assert begun(learner, versions)[0] == card.version


def test_where_all_are_poisoned_it_goes_back_to_the_start_or_learns_anew(again, promoted):
    bad = spoilt(promoted[-1])
    learner, versions = again([bad])
    assert begun(learner, versions)[::2] == (None, None) and learner.incumbent is None
    start = from_bytes(promoted[0], LAYOUT)
    learner, versions = again([bad])
    assert begun(learner, versions, start)[::2] == (None, start[1].version)


def test_without_data_nothing_is_held_against_any(again, promoted):
    learner, versions = again([*promoted, spoilt(promoted[-1])], run=[])
    assert begun(learner, versions)[1] == {}


def test_where_the_robot_has_changed_and_the_one_before_is_no_better_the_newest_stays(again, promoted):
    """Its error is far beyond its card, as that of all others."""
    newest = from_bytes(promoted[-1], LAYOUT)
    same = to_bytes(newest[0], replace(newest[1], version=newest[1].version + 1, held_out_error=1e-6))
    learner, versions = again([promoted[-1], same])
    assert begun(learner, versions)[1] == {}
