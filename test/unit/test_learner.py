"""When a robot trains, which models it takes, and which versions are there after a restart."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE, GO1, linear_run, quick_config

from mbrl_ros.dynamics.storage import Card, from_bytes, to_bytes
from mbrl_ros.learner_settings import TrainConfig
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.models import Versions, load_model, save_model
from mbrl_ros.learning.symmetry import mirrored_half
from mbrl_ros.learning.trained_on import copied
from mbrl_ros.learning.version_files import KEPT
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.types import Flag

LAYOUT = FeatureLayout(CARTPOLE)


def learner(count=0, **changes) -> Learner:
    """A learner of the cartpole with `count` transitions of a linear world."""
    found = Learner(CARTPOLE, quick_config(**changes))
    feed(found, linear_run(count))
    return found


def feed(learner, run):
    for t in run:
        learner.add(t)


def trained_round(learner):
    losses = list(learner.train())
    return losses, learner.judge(float(np.mean(losses)))


def spoil(learner, value):
    """Makes the candidate worse: every member adds `value` to the change it predicts."""
    with torch.no_grad():
        learner.candidate.trainer.model.biases[-1].fill_(value)


def test_the_first_training_waits_for_its_seconds_of_data():
    one = learner()
    run = linear_run(160)
    due = []
    for t in run[:100]:
        due.append(one.due())
        one.add(t)
    assert not any(due)
    assert one.due()  # 100 steps of 40 ms


def test_later_trainings_come_every_so_many_seconds_of_data_however_long_one_takes():
    one = learner(100)
    list(one.train())
    when = []
    for k, t in enumerate(linear_run(160, seed=1, first=100)):
        one.add(t)
        if one.due():
            when.append(k + 1)
            list(one.train())
    assert when == [50, 100, 150]  # 2 s of 40 ms


def test_without_new_data_nothing_is_trained_again():
    one = learner(100)
    trained_round(one)
    assert not one.due()


def test_the_first_round_is_longer_than_the_others():
    one = learner(100)
    assert len(list(one.train())) == 60
    feed(one, linear_run(50, first=100))
    assert len(list(one.train())) == 20


def test_data_of_which_no_two_steps_follow_trains_nothing_and_leaves_the_first_round_to_come():
    one = learner()
    feed(one, linear_run(300)[::3])
    assert one.due()
    assert list(one.train()) == []
    feed(one, linear_run(100, first=1000))
    assert len(list(one.train())) == 60


def test_a_learner_that_begins_with_a_model_has_no_long_first_round():
    card = Card("cartpole", CARTPOLE.layout_hash, 5, 30.0, 0.1, 0.9)
    teacher = learner(100)
    trained_round(teacher)
    one = Learner(CARTPOLE, quick_config(), teacher.incumbent, card)
    feed(one, linear_run(100))
    losses, verdict = trained_round(one)
    assert len(losses) == 20
    assert verdict.card.version == 6
    assert verdict.card.seconds == pytest.approx(30.0 + 4.0)


def test_training_learns():
    one = learner(300, first_steps=300)
    losses, verdict = trained_round(one)
    assert np.mean(losses[-20:]) < 0.2 * np.mean(losses[:5])
    assert verdict.candidate.one_step_r2 > 0.8
    assert verdict.promoted


def test_the_same_seed_learns_the_same_and_another_something_else():
    one, again, other = (learner(120, seed=s) for s in (0, 0, 1))
    first, second, third = (trained_round(x) for x in (one, again, other))
    assert first[0] == second[0]
    assert first[0] != third[0]


def test_the_first_candidate_is_promoted_as_version_1():
    one = learner(100)
    _, verdict = trained_round(one)
    assert verdict.promoted
    assert verdict.incumbent is None
    assert (one.version, one.proposed, one.promoted, one.refused) == (1, 1, 1, 0)
    assert one.card == verdict.card
    assert (one.card.version, one.card.seconds) == (1, pytest.approx(4.0))
    assert one.card.held_out_error == verdict.candidate.error


def test_a_worse_candidate_is_refused_and_the_incumbent_flies_on():
    one = learner(300)
    trained_round(one)
    incumbent, card = one.incumbent, one.card
    feed(one, linear_run(50, first=300))
    spoil(one, 3.0)
    verdict = one.judge()
    assert not verdict.promoted
    assert verdict.candidate.error > verdict.incumbent.error
    assert one.incumbent is incumbent
    assert (one.version, one.refused) == (1, 1)
    assert one.card == verdict.card == card  # which no new data stands behind


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_candidate_that_is_not_finite_is_refused(bad):
    one = learner(300)
    trained_round(one)
    spoil(one, bad)
    assert not one.judge().promoted
    assert one.version == 1


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_first_candidate_that_is_not_finite_is_refused_too_and_nothing_flies(bad):
    one = learner(100)
    list(one.train())
    spoil(one, bad)
    verdict = one.judge()
    assert not verdict.promoted
    assert one.incumbent is None
    assert one.version == 0


def test_after_a_candidate_that_is_not_finite_learning_goes_on():
    one = learner(300)
    trained_round(one)
    spoil(one, float("nan"))
    one.judge()
    feed(one, linear_run(100, seed=2, first=300))
    losses, verdict = trained_round(one)
    assert np.isfinite(losses).all()
    assert np.isfinite(verdict.candidate.error)


def test_a_candidate_may_be_a_little_worse_on_noisy_held_out_data():
    one = learner(300, tolerance=1e9, calibration_tolerance=1e9)
    trained_round(one)
    spoil(one, 0.5)
    assert one.judge().promoted
    assert one.version == 2


def test_versions_count_promotions_only():
    one = learner(300)
    trained_round(one)
    for k in range(3):
        spoil(one, 3.0)
        one.judge()
        one.return_to(one.incumbent)
        feed(one, linear_run(50, seed=k, first=300 + 50 * k))
        list(one.train())
    one.config = replace(one.config, tolerance=1e9)
    assert one.judge().card.version == 2
    assert (one.proposed, one.promoted, one.refused) == (5, 2, 3)


def test_what_flies_does_not_change_while_the_next_is_trained():
    one = learner(100)
    trained_round(one)
    before = [p.clone() for p in one.incumbent.parameters]
    feed(one, linear_run(50, first=100))
    list(one.train())
    assert all(torch.equal(a, b) for a, b in zip(before, one.incumbent.parameters, strict=True))
    assert not any(p.requires_grad for p in one.incumbent.parameters)


def test_after_a_return_the_candidate_starts_from_the_model_returned_to():
    one = learner(100)
    trained_round(one)
    good = copied(one.incumbent)
    spoil(one, 3.0)
    one.return_to(good)
    assert one.incumbent is good
    assert one.judge().candidate.error == pytest.approx(one.judge().incumbent.error)
    feed(one, linear_run(50, first=100))
    list(one.train())
    assert all(torch.isfinite(p).all() for p in good.parameters)
    assert not good.parameters[0].requires_grad


def test_after_a_return_to_nothing_the_next_round_is_a_first_one_and_versions_go_on():
    one = learner(100)
    trained_round(one)
    one.return_to(None)
    assert one.incumbent is None
    feed(one, linear_run(50, first=100))
    _, verdict = trained_round(one)
    assert verdict.promoted and verdict.incumbent is None
    assert one.version == 2


def test_data_before_a_change_of_latency_is_forgotten_and_its_seconds_still_count():
    one = learner(100)
    trained_round(one)
    seconds = one.seconds
    anew = [replace(t, flags=t.flags | Flag.ANEW) if k == 0 else t for k, t in enumerate(linear_run(50, first=100))]
    feed(one, anew)
    assert len(one.buffer) == 50
    assert one.earlier_seconds + one.seconds == pytest.approx(seconds + 50 * one.spec.dt)
    assert one.incumbent is not None and not one.due()


def test_half_of_a_batch_is_seen_in_the_mirror():
    layout, generator = FeatureLayout(GO1), np.random.default_rng(0)
    states = generator.normal(size=(2, 4, 3, layout.size)).astype(np.float32)
    actions = (GO1.stance + generator.normal(size=(2, 4, 2, 12))).astype(np.float32)
    seen, told = mirrored_half(layout, states.copy(), actions.copy())
    np.testing.assert_array_equal(seen[:, :2], states[:, :2])
    np.testing.assert_array_equal(told[:, :2], actions[:, :2])
    assert np.abs(seen[:, 2:] - states[:, 2:]).max() > 0.1
    at = {name: i for i, name in enumerate(layout.names)}
    np.testing.assert_allclose(seen[:, 2:, :, at["vy"]], -states[:, 2:, :, at["vy"]])
    np.testing.assert_allclose(told[:, 2:, :, 0], -actions[:, 2:, :, 3], atol=1e-6)  # FR hip and FL hip
    np.testing.assert_allclose(told[:, 2:, :, 1], actions[:, 2:, :, 4], atol=1e-6)
    twice, told_twice = mirrored_half(layout, seen, told)
    np.testing.assert_allclose(twice, states, atol=1e-6)
    np.testing.assert_allclose(told_twice, actions, atol=1e-5)


def test_a_robot_without_a_mirror_in_its_file_is_not_mirrored():
    lone = replace(CARTPOLE, joints=(CARTPOLE.joints[0], replace(CARTPOLE.joints[1], mirror=None)))
    config = quick_config(train=TrainConfig(batch=32, rollout=2, mirror=True))
    one = Learner(lone, config)
    feed(one, linear_run(100))
    assert len(list(one.train())) == 60


# Versions on disk


def content(version, seconds=10.0, seed=0) -> bytes:
    model = learner(seed=seed).candidate.trainer.model
    return to_bytes(model, Card("cartpole", CARTPOLE.layout_hash, version, seconds, 0.5, 0.5))


def test_the_newest_version_is_found_again(tmp_path):
    versions = Versions(tmp_path / "run", LAYOUT)
    newest = content(10, seed=10)
    for v, written in ((10, newest), (1, content(1)), (2, content(2))):
        versions.save(v, written)
    model, card, kept = Versions(tmp_path / "run", LAYOUT).newest()
    assert card.version == 10
    assert kept == newest
    assert torch.equal(model.weights[0], from_bytes(kept, LAYOUT)[0].weights[0])


def test_a_folder_that_is_empty_or_not_there_has_no_version(tmp_path):
    versions = Versions(tmp_path / "nowhere", LAYOUT)
    assert versions.newest() is None
    assert versions.highest() == 0


def test_a_file_torn_by_a_crash_is_skipped_but_its_number_is_never_used_again(tmp_path):
    versions = Versions(tmp_path, LAYOUT)
    versions.save(1, content(1))
    versions.save(2, content(2)[:-100])
    versions.save(3, b"")
    assert versions.newest()[1].version == 1
    assert versions.highest() == 3


def test_a_crash_while_writing_leaves_no_half_version(tmp_path):
    versions = Versions(tmp_path, LAYOUT)
    versions.save(1, content(1))
    (tmp_path / "version_000002.safetensors.part").write_bytes(content(2)[:500])
    assert versions.newest()[1].version == 1
    assert versions.highest() == 1


def test_a_refused_version_is_not_offered_again(tmp_path):
    versions = Versions(tmp_path, LAYOUT)
    for v in (1, 2, 3):
        versions.save(v, content(v))
    assert versions.newest(refused={3, 2})[1].version == 1
    assert versions.newest(refused={1, 2, 3}) is None


def test_a_version_of_another_robot_in_the_same_folder_is_skipped(tmp_path):
    Versions(tmp_path, LAYOUT).save(4, content(4))
    assert Versions(tmp_path, FeatureLayout(GO1)).newest() is None


def test_only_the_newest_versions_stay_on_disk(tmp_path):
    versions = Versions(tmp_path, LAYOUT)
    for v in range(1, KEPT + 6):
        versions.save(v, b"x")
    assert len(list(tmp_path.iterdir())) == KEPT
    assert versions.highest() == KEPT + 5


def test_a_model_that_was_saved_can_be_started_from_by_its_folder(tmp_path):
    one = learner(100)
    trained_round(one)
    path = save_model(one, tmp_path / "mine", run="cartpole_mpc")
    for name in (tmp_path / "mine", path):
        model, card = load_model(str(name), "cartpole_mpc", LAYOUT)
        assert card == one.card
        assert torch.equal(model.weights[0], one.incumbent.weights[0])
    assert load_model("scratch", "cartpole_mpc", LAYOUT) is None
    assert '"run": "cartpole_mpc"' in (tmp_path / "mine" / "card.json").read_text()
