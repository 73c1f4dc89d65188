"""Distillation beside a run: in the newest model, from where the robot has been; only a better policy is published."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gate_driver import GO1
from learning_driver import transition

from mbrl_ros.config import ConfigError
from mbrl_ros.distilling import live as live_module
from mbrl_ros.distilling.live import LiveDistilling, planner_of
from mbrl_ros.distilling.rounds import PATIENCE, Distiller
from mbrl_ros.distilling.teacher import Teacher
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.storage import Card
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.learning.learner import Learner
from mbrl_ros.policies.artefact import to_bytes
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.runs import load_run, write_parameters
from mbrl_ros.stack import Options, configured

LAYOUT = FeatureLayout(GO1)
TINY = {
    "live": True, "samples": 20, "robots": 5, "steps": 3, "updates": 10, "batch": 16, "judges": 5,
    "value.robots": 5, "value.steps": 2, "value.batches": 1, "value.updates": 2,
}  # fmt: skip
SETTINGS = tuple(f"learner.distill.{name}={value}" for name, value in TINY.items())


def written(folder, *settings, **options):
    """The learner's settings of a run whose parameter file lies in `folder`."""
    options = {"model": "scratch", **options}
    run = load_run("quadruped_mpc")
    run = configured(run, Options(settings=(f"learner.folder={folder}", *SETTINGS, *settings), **options))
    folder.mkdir(exist_ok=True)
    write_parameters(run, folder / "parameters.yaml")
    return run.learner


def knowing(config, seed=0):
    """A learner with a model and some data: a robot that stood."""
    model = new_ensemble(EnsembleConfig(members=5, width=8), LAYOUT, seed)
    learner = Learner(GO1, config, model, Card(GO1.name, GO1.layout_hash, 9, 1.0, 0.1, 0.9))
    state = np.zeros(LAYOUT.size, np.float32)
    state[LAYOUT.gravity.start + 2], state[LAYOUT.height.start] = -1.0, 0.285
    for k in range(150):
        learner.add(transition(k, state, GO1.stance, state, GO1))
    return learner


def after_a_round(live, learner):
    """What is published, if anything."""
    rounds = live.rounds
    while live.rounds == rounds or live._round is not None:
        content = live.step(learner)
        if content is not None:
            live.keep(content)
            return content
    return None


def loaded(content):
    return OnnxPolicy(content, LAYOUT, "quadruped", "gait", 3)


@pytest.fixture
def earning(monkeypatch):
    """Rewards to come, of the round's policy and then of the one that is to be beaten."""
    rewards = []

    def earned(self, policy):
        yield 0.5
        return rewards.pop(0)

    monkeypatch.setattr(Distiller, "earned", earned)
    return rewards


def test_the_first_policy_is_published_and_flies(tmp_path):
    config = written(tmp_path)
    live, learner = LiveDistilling(config, GO1), knowing(config)
    policy = loaded(after_a_round(live, learner))
    assert (policy.card.version, policy.card.model_version, live.version, live.rounds) == (1, 9, 1, 1)
    assert np.isfinite(live.last.reward) and live.last.decisions == 15


def test_only_a_policy_that_earns_more_in_the_newest_model_is_published(tmp_path, earning):
    config = written(tmp_path)
    live, learner = LiveDistilling(config, GO1), knowing(config)
    earning += [-5.0, -6.0, -5.5, -5.5, -5.5, -7.0, -7.1]
    versions = [loaded(found).card.version if (found := after_a_round(live, learner)) else None for _ in range(4)]
    assert versions == [1, None, None, 2], "each against the one published before, judged anew"


def test_networks_that_diverged_are_thrown_away_and_the_next_round_begins_anew(tmp_path, earning):
    config, warned = written(tmp_path), []
    live, learner = LiveDistilling(config, GO1, warned.append), knowing(config)
    earning += [-5.0, -4.0, -3.0, -4.0]
    good = loaded(after_a_round(live, learner))
    live._distiller._policy.weights[0].data[0, 0] = torch.nan
    assert after_a_round(live, learner) is None, "though it was said to earn more"
    assert "begins anew" in warned[0] and live.version == 1
    earning[:] = [-3.0, -4.0]
    begun = live._begun(learner)
    for here, there in zip(begun._policy.weights, good.policy.weights, strict=True):
        torch.testing.assert_close(here.detach(), there)
    assert loaded(after_a_round(live, learner)).card.version == 2


def test_a_policy_whose_file_is_refused_does_not_end_it(tmp_path, earning, monkeypatch):
    config, warned = written(tmp_path), []
    live, learner = LiveDistilling(config, GO1, warned.append), knowing(config)
    earning += [-5.0, -5.0]
    whole = Distiller.artefact
    monkeypatch.setattr(Distiller, "artefact", lambda self, card: whole(self, card)[:-100])
    assert after_a_round(live, learner) is None
    assert "not a policy" in warned[0] and (live.version, live.kept, live._distiller) == (0, None, None)
    monkeypatch.setattr(Distiller, "artefact", whole)
    assert loaded(after_a_round(live, learner)).card.version == 1


def test_rounds_in_which_everything_diverges_come_to_an_end(tmp_path, earning):
    config = written(tmp_path, "learner.distill.rate=1e30")
    live, learner = LiveDistilling(config, GO1), knowing(config)
    earning += [-5.0] * PATIENCE
    assert [after_a_round(live, learner) for _ in range(PATIENCE)] == [None] * PATIENCE
    assert live.waits(learner)


def test_plans_listen_to_the_policy_that_is_to_be_beaten(tmp_path, earning, monkeypatch):
    heard = []
    monkeypatch.setattr(Teacher, "listen_to", lambda self, policy, *rest: heard.append(policy))
    config = written(tmp_path, "learner.distill.guided_from=1")
    live, learner = LiveDistilling(config, GO1), knowing(config)
    earning += [-5.0, -9.0, -5.0, -9.0, -5.0]
    good = loaded(after_a_round(live, learner)).policy
    assert after_a_round(live, learner) is None
    assert after_a_round(live, learner) is None
    assert len(heard) == 2, "not in the first round: nobody knew anything then"
    for here, there in zip(heard[1].weights, good.weights, strict=True):
        torch.testing.assert_close(here, there)


def test_rounds_go_on_from_each_other_in_the_newest_model(tmp_path, earning):
    config = written(tmp_path)
    live, learner = LiveDistilling(config, GO1), knowing(config)
    earning += [-5.0, -4.0, -5.0]
    after_a_round(live, learner)
    learner.incumbent = new_ensemble(EnsembleConfig(members=5, width=8), LAYOUT, 1)
    learner.card = replace(learner.card, version=12)
    assert loaded(after_a_round(live, learner)).card.model_version == 12
    assert live.last.decisions == 15 * 2


def test_a_restart_goes_on_from_what_was_published(tmp_path, earning):
    config = written(tmp_path)
    learner = knowing(config)
    earning += [-5.0, -4.0, -5.0]
    before = LiveDistilling(config, GO1)
    after_a_round(before, learner)
    newest = after_a_round(before, learner)
    again = LiveDistilling(config, GO1)
    assert (again.kept, again.version) == (newest, 2)
    earning += [-3.0, -4.0]
    assert loaded(after_a_round(again, learner)).card.version == 3


def test_numbers_grow_even_where_the_newest_file_is_torn(tmp_path, earning):
    config = written(tmp_path)
    earning += [-5.0]
    whole = after_a_round(LiveDistilling(config, GO1), knowing(config))
    (tmp_path / "policy_000002.onnx").write_bytes(whole[:-100])
    again = LiveDistilling(config, GO1)
    assert (again.kept, again.version) == (whole, 2)


def test_it_begins_after_the_policy_that_the_planner_begins_with(tmp_path, earning):
    earning += [-5.0]
    config = written(tmp_path / "one")
    first = after_a_round(LiveDistilling(config, GO1), knowing(config))
    (tmp_path / "first.onnx").write_bytes(first)
    config = written(tmp_path / "other", f"planner.policy={tmp_path / 'first.onnx'}")
    live, learner = LiveDistilling(config, GO1), knowing(config)
    assert (live.version, live.kept) == (1, None)
    earning += [-5.0, -4.0, -3.0, -4.0]
    assert after_a_round(live, learner) is None, "that one is better"
    assert loaded(after_a_round(live, learner)).card.version == 2


def begun_with(tmp_path, edge):
    """Settings of a run whose planner begins with a policy, version 1, that knows inputs from -`edge` to `edge`."""
    config = written(tmp_path / "before")
    first = loaded(after_a_round(LiveDistilling(config, GO1), knowing(config)))
    inputs = len(first.card.seen)
    card = replace(first.card, lowest=(-edge,) * inputs, highest=(edge,) * inputs)
    content = to_bytes(first.policy, first.value, card, (torch.zeros(inputs), torch.zeros(len(first.policy.bounds[0]))))
    (tmp_path / "first.onnx").write_bytes(content)
    return written(tmp_path / "run", f"planner.policy={tmp_path / 'first.onnx'}"), content


def test_what_the_policy_has_seen_with_which_it_began_stays_known(tmp_path, earning):
    earning += [-5.0]
    config, _ = begun_with(tmp_path, 50.0)
    live, learner = LiveDistilling(config, GO1), knowing(config)
    earning += [-4.0, -5.0, -3.0, -4.0]
    for _ in range(2):
        card = loaded(after_a_round(live, learner)).card
        assert min(card.highest) >= 50.0 and max(card.lowest) <= -50.0


def test_what_was_seen_stays_known_when_what_was_said_there_is_forgotten(tmp_path, earning, monkeypatch):
    monkeypatch.setattr(live_module, "REMEMBERED", 1)
    config = written(tmp_path)
    live, learner = LiveDistilling(config, GO1), knowing(config)
    earning += [-9.0, -8.0, -9.0, -7.0, -8.0, -6.0, -7.0]
    cards = [loaded(after_a_round(live, learner)).card for _ in range(4)]
    assert live.last.decisions == 2 * 15
    for before, after in zip(cards[:-1], cards[1:], strict=True):
        assert all(b >= a for b, a in zip(before.lowest, after.lowest, strict=True))
        assert all(b <= a for b, a in zip(before.highest, after.highest, strict=True))


def test_what_the_planner_refused_is_not_to_be_beaten(tmp_path, earning):
    config = written(tmp_path)
    live, learner = LiveDistilling(config, GO1), knowing(config)
    earning += [-1.0, -9.0]
    after_a_round(live, learner)
    assert live.refuse({1}) is None and live.kept is None
    assert loaded(after_a_round(live, learner)).card.version == 2


def test_the_last_good_policy_takes_the_place_of_one_that_was_refused(tmp_path, earning):
    earning += [-5.0]
    config, first = begun_with(tmp_path, 50.0)
    live, learner = LiveDistilling(config, GO1), knowing(config)
    earning += [-4.0, -5.0, -3.0, -4.0]
    older, newer = after_a_round(live, learner), after_a_round(live, learner)
    assert [loaded(content).card.version for content in (older, newer)] == [2, 3]
    assert live.refuse(set()) is None
    assert live.refuse({3}) == older
    assert live.refuse({3}) is None, "planners say it again and again"
    assert live.refuse({2, 3}) == first
    again = LiveDistilling(config, GO1)
    assert again.kept is None and again.version == 3, "a learner that starts again has not forgotten it"


def test_the_policy_with_which_the_planner_began_need_not_be_beaten_once_it_was_refused(tmp_path, earning):
    earning += [-5.0]
    config, _ = begun_with(tmp_path, 50.0)
    live, learner = LiveDistilling(config, GO1), knowing(config)
    assert live.refuse({1}) is None
    earning += [-1000.0]
    assert loaded(after_a_round(live, learner)).card.version == 2


def test_after_a_refusal_it_is_worth_trying_again(tmp_path, earning):
    config = written(tmp_path)
    live, learner = LiveDistilling(config, GO1), knowing(config)
    earning += [-1.0] + [-2.0, -1.0] * PATIENCE
    for _ in range(PATIENCE + 1):
        after_a_round(live, learner)
    assert live.waits(learner)
    live.refuse({1})
    assert not live.waits(learner)


def test_without_a_better_policy_it_waits_for_another_model(tmp_path, earning):
    config = written(tmp_path)
    live, learner = LiveDistilling(config, GO1), knowing(config)
    earning += [-1.0] + [-2.0, -1.0] * PATIENCE
    for _ in range(PATIENCE + 1):
        assert not live.waits(learner)
        after_a_round(live, learner)
    assert live.waits(learner)
    learner.incumbent = new_ensemble(EnsembleConfig(members=5, width=8), LAYOUT, 1)
    assert not live.waits(learner)


def test_it_waits_for_a_model_and_for_data(tmp_path):
    config = written(tmp_path)
    live = LiveDistilling(config, GO1)
    assert live.waits(Learner(GO1, config))
    learner = knowing(config)
    assert not live.waits(learner)
    learner.buffer = learner._new_buffer()
    assert live.waits(learner)


def test_the_planner_is_the_one_of_the_run(tmp_path):
    config = written(tmp_path, "planner.mppi.horizon=7", "planner.cost.prior=0.5")
    planner = planner_of(config)
    assert (planner.mppi.horizon, planner.cost.prior) == (7, 0.5)


def test_nobody_says_how_the_planner_plans(tmp_path):
    config = written(tmp_path)
    (tmp_path / "parameters.yaml").unlink()
    with pytest.raises(ConfigError, match="parameters.yaml says how the planner plans. Start the run with `mbrl up`"):
        LiveDistilling(config, GO1)


def test_robots_that_cannot_be_shared_out_are_an_error_that_names_the_setting(tmp_path):
    config = written(tmp_path, "learner.distill.robots=7")
    with pytest.raises(ConfigError, match="learner.distill.robots must be a multiple of the 5 members"):
        LiveDistilling(config, GO1).step(knowing(config))


def test_it_does_not_go_with_lockstep(tmp_path):
    with pytest.raises(ConfigError, match="learner.distill.live does not go with lockstep"):
        written(tmp_path, lockstep=True)
    config = written(tmp_path)
    with pytest.raises(ConfigError, match="lockstep"):
        LiveDistilling(replace(config, lockstep=True), GO1)
