"""Every kind of model in a run: learned round after round, judged, kept, read again; and what a run may say of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE, linear_run, quick_config
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from mbrl_ros.backends import new_backend
from mbrl_ros.config import ConfigError
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.second_opinion import SecondOpinion
from mbrl_ros.dynamics.storage import Card, ModelRefused, from_bytes, read_header, to_bytes
from mbrl_ros.kind_settings import as_text, kind_config, parsed
from mbrl_ros.known import MODELS, the
from mbrl_ros.learning.fitted_anew import MORE
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.models import load_model, save_model
from mbrl_ros.learning.progress import progress_bytes, progress_of
from mbrl_ros.learning.session import Session
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run, with_settings
from mbrl_ros.stack import Options, configured

LAYOUT = FeatureLayout(CARTPOLE)
WITH_A_LAW = ("physics", "residual")
OTHERS = [name for name in MODELS if name != "ensemble"]
OF_ANY_ROBOT = [name for name in OTHERS if name not in WITH_A_LAW]
CHEAP = {"energy": "starts=4, steps=1, chains=1, offered=4, particles=2", "diffusion": "steps=2", "bayes": "members=4"}
TINY = ("learner.first_seconds=1.0", "learner.first_steps=15", "learner.train.batch=16", "planner.mppi.samples=20")


def learner(kind, count=100, **changes) -> Learner:
    found = Learner(CARTPOLE, quick_config(kind=kind, kind_settings=CHEAP.get(kind, ""), **changes))
    for t in linear_run(count):
        found.add(t)
    return found


def trained_round(one):
    losses = list(one.train())
    return losses, one.judge(float(np.mean(losses)))


def bytes_of(model):
    return [tensor.numpy().tobytes() for tensor in (*model.parameters, model.normaliser.state_mean)]


# Learning


@pytest.mark.parametrize("kind", OTHERS)
def test_a_robot_learns_by_it_plans_through_it_and_another_process_reads_it(kind, tmp_path):
    run = with_settings(load_run("car_mpc" if kind in WITH_A_LAW else "pendulum_mpc"), [*TINY, f"learner.kind={kind}"])
    run = run.with_all({"learner.kind_settings": CHEAP.get(kind, ""), "planner.mppi.horizon": 4})
    spec = load_robot(run.planner.robot)
    agent, one = Agent(spec, run.planner), Learner(spec, run.learner)
    session = Session(run, new_backend(spec, 0, True, 0.0), agent, one)
    verdicts = [session.step(np.zeros(agent.task.command_size)).verdict for _ in range(round(2.6 / spec.dt))]
    promoted = [verdict.card for verdict in verdicts if verdict and verdict.promoted]
    assert promoted and agent.model_version == one.version == promoted[-1].version
    assert promoted[-1].kind == kind and np.isfinite(promoted[-1].held_out_error)
    model, card = load_model(str(save_model(one, tmp_path, run=run.name)), run.name, one.layout)
    assert card == one.card
    assert bytes_of(model) == bytes_of(one.incumbent)
    assert json.loads((tmp_path / "card.json").read_text())["kind"] == kind


def test_corrective_rounds_train_on_from_where_the_model_drifts_to():
    plain = learner("l2")
    correcting = learner("l2", train=replace(plain.config.train, corrective=2))
    (once, _), (again, verdict) = trained_round(plain), trained_round(correcting)
    assert len(again) == 3 * len(once)
    np.testing.assert_array_equal(once, again[: len(once)])
    assert bytes_of(plain.incumbent) != bytes_of(correcting.incumbent) and verdict.promoted


def test_a_fit_learns_more_from_more_data_and_takes_its_units():
    one = learner("l2", first_steps=200)
    losses, verdict = trained_round(one)
    assert np.mean(losses[-20:]) < 0.3 * np.mean(losses[:5])
    assert verdict.promoted and verdict.candidate.one_step_r2 > 0.8
    before = one.incumbent
    for t in linear_run(200, seed=1, first=100):
        one.add(t)
    losses, _ = trained_round(one)
    assert len(losses) == 200, "as long as the first"
    assert not torch.equal(one.candidate.model.normaliser.state_mean, before.normaliser.state_mean)


def test_the_next_fit_waits_until_there_is_clearly_more_data():
    one = learner("l2", 400)  # 16 s
    trained_round(one)
    when = []
    for k, t in enumerate(linear_run(150, seed=1, first=400)):
        one.add(t)
        if one.due():
            when.append(k + 1)
            trained_round(one)
    assert when == [MORE * 400]


@pytest.mark.parametrize("kind", ["l2", "gaussian", "bayes", "diffusion"])
def test_who_goes_on_from_what_was_kept_learns_the_same(kind):
    whole = learner(kind)
    trained_round(whole)
    content, kept = progress_bytes(whole.progress(), LAYOUT), to_bytes(whole.incumbent, whole.card)
    again = Learner(CARTPOLE, whole.config, *from_bytes(kept, LAYOUT))
    for t in linear_run(100):
        again.add(t)
    again.go_on(progress_of(content, LAYOUT))
    for one in (whole, again):
        for t in linear_run(60, seed=1, first=100):
            one.add(t)
        assert one.due()
    (first, said), (second, heard) = trained_round(whole), trained_round(again)
    assert first == second and said == heard
    assert bytes_of(whole.incumbent) == bytes_of(again.incumbent)


def test_progress_of_an_ensemble_is_none_of_another_kind():
    ensemble, other = learner("ensemble"), learner("l2")
    with pytest.raises(ModelRefused, match="it is of an ensemble"):
        other.go_on(ensemble.progress())
    with pytest.raises(ModelRefused, match="its candidate is no ensemble"):
        ensemble.go_on(other.progress())


def test_a_residual_stands_on_constants_that_were_found_first():
    few = {"learner.first_steps": 30, "learner.train.batch": 16, "learner.train.rollout": 2}
    run = load_run("car_mpc").with_all({"learner.kind": "residual", **few})
    spec = load_robot("car")
    one = Learner(spec, run.learner)
    session = Session(run, new_backend(spec, 0, True, 0.0), Agent(spec, run.planner), one)
    one.due = lambda: False
    for _ in range(100):
        session.step(np.zeros(0))
    assert len(list(one.train())) == 60
    fresh = the("model", "physics").new(None, one.layout, 0)
    assert (one.candidate.model.physics.theta - fresh.theta).abs().min() > 0.2, "beside networks, far less"


# Doubt


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("l2", "one member, which disagrees with nobody"),
        ("gaussian", "one network, and its members differ by luck"),
        ("diffusion", "one network, and its members differ by luck"),
        ("bayes", "the model carries no calibration"),
    ],
)
def test_a_doubt_that_nobody_can_have_is_told_with_its_reason(kind, why):
    run = load_run("cartpole_mpc")
    agent = Agent(CARTPOLE, run.planner)
    module = the("model", kind)
    agent.set_model(module.new(module.Config(), LAYOUT, 0), 1)
    assert SecondOpinion(agent).diagnostics()["doubt"].endswith(why)


@pytest.mark.parametrize(("kind", "calibrated"), [("bayes", True), ("gaussian", False), ("l2", False)])
def test_only_members_that_are_opinions_are_calibrated(kind, calibrated):
    one = learner(kind, 900)
    _, verdict = trained_round(one)
    assert (verdict.card.calibration is not None) == calibrated


# Files


def content(kind="gaussian", **settings):
    config = kind_config(kind, quick_config().ensemble, ", ".join(f"{k}={v}" for k, v in settings.items()))
    card = Card("cartpole", CARTPOLE.layout_hash, 7, 12.5, 0.31, 0.87, kind=kind, kind_settings=as_text(config))
    return to_bytes(the("model", kind).new(config, LAYOUT, 0), card)


def rewritten(data, change=lambda tensors: None, **card):
    tensors, header = load_tensors(data), read_header(data)
    change(tensors)
    return save_tensors(tensors, {"card": json.dumps(json.loads(header["card"]) | card)})


@pytest.mark.parametrize(
    ("card", "why"),
    [
        ({"kind": "waves"}, "no model 'waves'"),
        ({"kind_settings": "width=16, wdith=3"}, "did you mean 'width'"),
        ({"kind_settings": "width"}, "expected settings and commas"),
        ({"kind_settings": "width=99999"}, "outside the range"),
        ({"kind_settings": "width=4096, layers=8"}, r"expected \(1, \d+, 4096\) float32"),
        ({"kind": "physics", "kind_settings": ""}, "cartpole has none"),
        ({"layout": "another"}, "does not fit 'cartpole'"),
    ],
)
def test_a_file_that_does_not_fit_what_it_says_is_refused(card, why):
    with pytest.raises(ModelRefused, match=why):
        from_bytes(rewritten(content(), **card), LAYOUT)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda tensors: tensors.pop("net.biases.1"), r"lacks 'net\.biases\.1'"),
        (lambda tensors: tensors["net.weights.0"].view(-1)[3:4].fill_(torch.nan), "not finite"),
        (lambda tensors: tensors["normaliser.step_std"].zero_(), "standard deviation"),
    ],
)
def test_tensors_that_are_no_models_are_refused(change, why):
    with pytest.raises(ModelRefused, match=why) as refused:
        from_bytes(rewritten(content(), change), LAYOUT)
    assert refused.value.version == 7


def test_a_file_that_was_cut_off_is_refused_wherever_it_was_cut():
    whole = content("bayes", width=4)
    for length in range(0, len(whole), 97):
        with pytest.raises(ModelRefused):
            from_bytes(whole[:length], LAYOUT)


def test_a_learner_does_not_go_on_from_a_model_of_another_kind():
    model, card = from_bytes(content(), LAYOUT)
    with pytest.raises(ConfigError, match="a model of kind gaussian is there, and learner.kind is ensemble"):
        Learner(CARTPOLE, quick_config(), model, card)
    assert Learner(CARTPOLE, quick_config(kind="gaussian"), model, card).incumbent is model


# What a run says


def test_settings_of_a_kind_are_read_as_they_are_written():
    config = kind_config("energy", quick_config().ensemble, "lift=1e-3, starts=7")
    assert (config.lift, config.starts, config.width) == (1e-3, 7, quick_config().ensemble.width)
    assert replace(config, **parsed(as_text(config))) == config
    with pytest.raises(ConfigError, match="unknown key 'start', did you mean"):
        kind_config("energy", quick_config().ensemble, "start=7")
    with pytest.raises(ConfigError, match="steps stands there twice"):
        kind_config("energy", quick_config().ensemble, "steps=4, steps=5")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (["learner.kind=energy", "learner.train.rollout=4"], "learns single steps"),
        (["learner.kind=l2", "learner.steps=50"], "fitted anew in every round"),
        (["learner.kind=l2", "learner.ensemble.members=3"], "the ensemble's alone"),
        (["learner.kind=physics", "learner.ensemble.width=32"], "has no such networks"),
        (["learner.kind_settings=particles=3"], "its own are learner.ensemble"),
        (["learner.train.corrective=1"], "of kinds that are fitted anew"),
        (["learner.kind=gausian"], "did you mean 'gaussian'"),
    ],
)
def test_a_setting_that_does_nothing_for_a_kind_is_refused(settings, why):
    with pytest.raises(ConfigError, match=why):
        with_settings(load_run("car_mpc"), settings)


@pytest.mark.parametrize(
    "settings",
    [
        ["learner.kind=l2", "learner.train.rollout=4", "learner.ensemble.width=32", "learner.first_steps=50"],
        ["learner.kind=gaussian", "learner.kind_settings=members=2, particles=4", "learner.train.batch=8"],
        ["learner.kind=physics", "learner.train.rate=0.01"],
    ],
)
def test_a_setting_that_a_kind_reads_is_taken(settings):
    run = with_settings(load_run("car_mpc"), settings)
    assert f"learner.kind={run.learner.kind}" == settings[0]


def started(*settings, run="pendulum_mpc", **options):
    return configured(load_run(run), Options(settings=settings, **options))


def test_what_cannot_work_is_an_error_before_anything_starts(tmp_path):
    with pytest.raises(ConfigError, match="constants: car; go1_like has none"):
        started("learner.kind=physics", run="quadruped_mpc", model="scratch")
    with pytest.raises(ConfigError, match="unknown key 'particle'"):
        started("learner.kind=gaussian", "learner.kind_settings=particle=3", model="scratch")
    with pytest.raises(ConfigError, match="of kind gaussian plans on the processor"):
        started("learner.kind=gaussian", "planner.device=cuda", model="scratch")
    with pytest.raises(ConfigError, match="a model of kind ensemble is there, and learner.kind is gaussian"):
        started("learner.kind=gaussian", run="quadruped_mpc")
    assert started("learner.kind=gaussian", run="quadruped_mpc", learner=False).learner.kind == "gaussian"
    found = started("learner.kind=gaussian", "learner.kind_settings=particles=3", model="scratch")
    assert found.learner.kind_settings == "particles=3"
