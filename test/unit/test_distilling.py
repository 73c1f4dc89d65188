"""A policy learns from its planner in the model, and comes out as a file that flies."""

import json
from dataclasses import replace

import pytest
import torch
from distilling_driver import LAYOUT, MAP, TINY, Lesson, finished, policy, valuer, world
from learning_driver import GO1

from mbrl_ros import cli
from mbrl_ros.distilling.rounds import PATIENCE, Distiller
from mbrl_ros.distilling.visiting import Visits
from mbrl_ros.learning.models import load_model
from mbrl_ros.learning.policies import load_policy
from mbrl_ros.paths import model_file
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.runs import load_run

# Rounds


def judged(*rewards):
    """In place of Distiller.earned."""
    coming = list(rewards)

    def earned(policy):
        yield 0.5
        return coming.pop(0)

    return earned


def test_an_error_counts_by_what_it_costs():
    weights = torch.zeros(MAP.size)
    weights[0] = MAP.size
    distiller = Distiller(policy(), world(), Lesson(weights), valuer(), replace(TINY, updates=300, rounds=3), seed=0)
    while not distiller.done:
        list(distiller.round())
    robots = world().robots(5)
    wished = distiller._policy.wish(world().seen(robots), robots.priors) - robots.priors
    off = (wished - 0.1).abs().mean(0)
    assert off[0] < 0.04 < 0.06 < off[1:].max()


def test_a_teacher_listens_from_the_round_that_is_set_to_the_best_policy_so_far():
    lesson, config = Lesson(), replace(TINY, guided_from=2, guided_horizon=3)
    distiller = Distiller(policy(), world(), lesson, valuer(), config, seed=0)
    list(distiller.round())
    assert not lesson.heard
    best, value = distiller.best, distiller.best_value
    list(distiller.round())
    assert [(p is best, v is value, h) for p, v, h in lesson.heard] == [(True, True, 3)]
    assert [r.guided for r in distiller.rounds] == [False, True]


def test_a_teacher_does_not_listen_before_there_is_a_value():
    lesson = Lesson()
    distiller = Distiller(policy(), world(), lesson, valuer(), replace(TINY, guided_from=1), seed=0)
    list(distiller.round())
    assert not lesson.heard
    list(distiller.round())
    assert len(lesson.heard) == 1


def test_what_a_policy_earns_is_found_a_step_at_a_time_and_is_the_same_again():
    distiller = Distiller(policy(), world(), Lesson(), valuer(), TINY, seed=0)
    assert list(distiller.earned(distiller.best)) == [0.0, 0.25, 0.5, 0.75]
    assert finished(distiller.earned(distiller.best)) == finished(distiller.earned(distiller.best))


def test_a_policy_comes_nearer_to_what_it_is_told():
    distiller = Distiller(policy(), world(), Lesson(), valuer(), replace(TINY, updates=300, rounds=5), seed=0)
    while not distiller.done:
        shares = list(distiller.round())
        assert shares == sorted(shares) and shares[-1] == 1.0
    rounds = distiller.rounds
    assert rounds[-1].imitation < 0.1 * rounds[0].imitation
    assert [r.decisions for r in rounds] == [20 * (i + 1) for i in range(len(rounds))]


def test_the_policy_that_earned_most_is_kept_and_is_not_trained_on():
    distiller = Distiller(policy(), world(), Lesson(), valuer(), TINY, seed=0)
    list(distiller.round())
    assert distiller.rounds[0].best
    kept = [weight.clone() for weight in distiller.best.weights]
    distiller.earned = judged(-torch.inf)
    list(distiller.round())
    assert not distiller.rounds[1].best
    for before, after in zip(kept, distiller.best.weights, strict=True):
        torch.testing.assert_close(before, after)
    assert not any(parameter.requires_grad for parameter in distiller.best.parameters)


def played(*rounds):
    """Rounds of which the teacher's way, the imitation and the reward are given."""
    distiller = Distiller(policy(), world(), Lesson(), valuer(), replace(TINY, rounds=50), seed=0)
    for guided, imitation, reward in rounds:
        distiller._listen, distiller._off = going(guided), lambda first, off=imitation: going(off)()
        distiller.earned = judged(reward)
        distiller._train = lambda: iter(())
        list(distiller.round())
    return distiller


def going(found):
    def part():
        yield 0.5
        return found

    return part


def test_rounds_end_when_some_in_a_row_bring_nothing():
    useless = [(False, 1.0, -2.0)] * PATIENCE
    assert not played((False, 1.0, -1.0), *useless[:-1]).done
    assert played((False, 1.0, -1.0), *useless).done


def test_a_policy_that_comes_nearer_to_its_teacher_is_progress_and_not_the_best():
    distiller = played((False, 1.0, -1.0), (False, 0.9, -2.0), (False, 0.95, -2.0))
    assert [(r.best, r.progress) for r in distiller.rounds] == [(True, True), (False, True), (False, False)]


def test_how_near_it_comes_is_compared_with_rounds_of_the_same_teacher():
    distiller = played((False, 0.1, -1.0), (True, 0.9, -2.0), (True, 0.8, -2.0), (True, 0.85, -2.0))
    assert [r.progress for r in distiller.rounds] == [True, True, True, False]
    assert [r.best for r in distiller.rounds] == [True, False, False, False]


# From the command line

SMALL = [
    f"learner.distill.{name}={value}"
    for name, value in {
        **{"samples": 20, "rounds": 2, "robots": 5, "steps": 2, "updates": 5, "judges": 5},
        **{"value.robots": 5, "value.steps": 3, "value.batches": 1, "value.updates": 5},
    }.items()
]


def test_distilling_writes_a_policy_that_flies_and_a_report(tmp_path):
    report = tmp_path / "report.json"
    arguments = ["distill", "quadruped_mpc", "--out", str(tmp_path), "--report", str(report), "--set", *SMALL]
    assert cli.main(arguments) == 0
    flown = OnnxPolicy((tmp_path / "policy.onnx").read_bytes(), LAYOUT, "quadruped", "gait", 3)
    file = str(tmp_path / "policy.onnx")
    assert cli.main(["policy", "show", file]) == 0
    assert cli.main(["eval", "quadruped_mpc", "--policy", file, "--commands", "0.3,0,0", "--hold", "2.1"]) == 0
    assert flown.card.model_version > 0 and len(flown.card.lowest) == LAYOUT.size + 5
    assert [r["decisions"] for r in json.loads(report.read_text())["rounds"]] == [10, 20]
    assert (tmp_path / "report.png").is_file()


def test_it_begins_where_the_robot_comes_to_under_the_policy(tmp_path, capsys, monkeypatch):
    come_to = []
    monkeypatch.setattr(Distiller, "begin_also_in", lambda self, states: come_to.append(states))
    report = tmp_path / "report.json"
    arguments = ["distill", "quadruped_mpc", "--robot-seconds", "24", "--out", str(tmp_path), "--report", str(report)]
    assert cli.main([*arguments, "--set", *SMALL]) == 0
    assert "the robot was driven for 8 s" in capsys.readouterr().out, "a sixth after each of two rounds"
    assert json.loads(report.read_text())["robot_seconds"] == 24.0
    assert len(come_to) == 2 and len(come_to[0]) > 0


@pytest.mark.parametrize("seconds", ("nan", "inf", "-3"))
def test_a_robot_is_not_driven_for_what_is_no_time(seconds, tmp_path, capsys):
    assert cli.main(["distill", "quadruped_mpc", f"--robot-seconds={seconds}", "--out", str(tmp_path)]) == 2
    assert f"--robot-seconds {seconds}: expected 0 s or more" in capsys.readouterr().err


def test_visits_go_on_from_each_other_and_bring_states_in_which_the_policy_drove():
    run = load_run("quadruped_mpc")
    model, _ = load_model("pretrained", run.name, LAYOUT)
    visits, flown = Visits(run, GO1, model), load_policy(run, GO1)
    first, second = visits.drive(flown, 6.0), visits.drive(flown, 1.0)
    assert first.shape[1] == LAYOUT.size and 0 < len(first) < 300, "not before the guard has faded in"
    assert len(second) == 50 and visits.falls == 0
    upright = torch.cat([first, second])[:, LAYOUT.gravity.start + 2]
    assert (upright < -0.9).all()


def test_a_model_alone_cannot_be_distilled(tmp_path, capsys):
    (tmp_path / "model.safetensors").write_bytes(model_file("pretrained", "quadruped_mpc").read_bytes())
    assert cli.main(["distill", "quadruped_mpc", "--model", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "nothing of what it has learned from" in capsys.readouterr().err


def test_robots_are_shared_out_among_the_members(tmp_path, capsys):
    assert cli.main(["distill", "quadruped_mpc", "--out", str(tmp_path), "--set", "learner.distill.robots=7"]) == 2
    assert "a multiple of the 5 members" in capsys.readouterr().err


def test_a_policy_that_is_not_there_is_told_with_its_mend(tmp_path, capsys):
    assert cli.main(["eval", "quadruped_mpc", "--policy", str(tmp_path / "none.onnx")]) == 2
    assert "mbrl distill quadruped_mpc" in capsys.readouterr().err
