"""Which policy a run is judged with, and what is reported of it; what `mbrl policy show` says of a file."""

import json
from dataclasses import replace

import onnx
import pytest
import torch
from learning_driver import SMALL
from test_policy_file import altered_weights, content, edited

from mbrl_ros import cli
from mbrl_ros.content import content_hash
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.storage import Card
from mbrl_ros.dynamics.storage import to_bytes as model_bytes
from mbrl_ros.learning.policies import of_another_model
from mbrl_ros.policies.artefact import OPSET, to_bytes
from mbrl_ros.policies.card import PolicyCard, input_names, robot_part
from mbrl_ros.policies.network import new_policy, new_value
from mbrl_ros.robots.action_maps import make_action_map
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.settings import MppiConfig, PlannerConfig

ROBOT = load_robot("cartpole")
LAYOUT = FeatureLayout(ROBOT)


def policy(version: int, model_hash: str) -> bytes:
    names, states = input_names(LAYOUT, 0), torch.randn(50, LAYOUT.size, generator=torch.Generator().manual_seed(0))
    network = new_policy(LAYOUT, states, 0, make_action_map("joint", ROBOT).bounds, 0)
    card = PolicyCard(
        task="cartpole", version=version, model_version=3, model_hash=model_hash, discount=0.9, seen=names,
        lowest=(-99.0,) * len(names), highest=(99.0,) * len(names), golden_seen=(), golden_prior=(),
        golden_decisions=(), golden_value=0.0, **robot_part(ROBOT, "joint"),
    )  # fmt: skip
    return to_bytes(network, new_value(network, 0), card, (network.mean, torch.zeros(1)))


@pytest.fixture
def folder(tmp_path):
    """A model that has learned nothing, and a policy of it."""
    model = model_bytes(new_ensemble(SMALL, LAYOUT, 0), Card(ROBOT.name, ROBOT.layout_hash, 3, 1.0, 0.1, 0.9))
    (tmp_path / "model.safetensors").write_bytes(model)
    (tmp_path / "policy.onnx").write_bytes(policy(5, content_hash(model)))
    return tmp_path


def judged(folder, *arguments) -> dict:
    path = folder / "report.json"
    assert cli.main(["eval", "cartpole_mpc", "--model", str(folder), "--report", str(path), *arguments]) == 0
    return json.loads(path.read_text())["config"]


def test_the_policy_beside_the_model_that_is_judged_is_flown_and_reported(folder):
    found = judged(folder, "--mode", "policy")
    content = (folder / "policy.onnx").read_bytes()
    assert found["policy"] == {
        "version": 5,
        "hash": content_hash(content),
        "model_version": 3,
        "model_hash": content_hash((folder / "model.safetensors").read_bytes()),
    }
    assert found["planner"]["model"] == found["model"] == str(folder)


def test_a_policy_that_is_given_is_reported(folder, tmp_path):
    given = tmp_path / "given.onnx"
    given.write_bytes(policy(6, "another"))
    found = judged(folder, "--policy", str(given))
    assert (found["policy"]["version"], found["policy"]["model_hash"]) == (6, "another")
    assert (found["planner"]["policy"], found["planner"]["mode"]) == (str(given), "policy")


def test_plans_that_listen_to_a_policy_of_another_model_are_warned_of(folder, capsys):
    guided = ("--set", "planner.mppi.terminal_value=true", "planner.mppi.samples=20", "planner.mppi.horizon=3")
    judged(folder, *guided)
    assert "was distilled from model" not in capsys.readouterr().out
    (folder / "policy.onnx").write_bytes(policy(5, "another"))
    judged(folder, *guided)
    assert "policy 5 was distilled from model 3 (another)" in " ".join(capsys.readouterr().out.split())


def test_plans_that_do_not_listen_to_it_may_have_a_policy_of_any_model(folder):
    planner = PlannerConfig(model=str(folder))
    found = PolicyCard.from_json(onnx.load_from_string(policy(5, "another")).metadata_props[0].value)
    assert of_another_model(found, planner) == ""
    assert "another" in of_another_model(found, replace(planner, mppi=MppiConfig(proposals=0.1)))


# ---- mbrl policy show


def shown(capsys, tmp_path, data: bytes) -> tuple[int, str]:
    file = tmp_path / "shown.onnx"
    file.write_bytes(data)
    return cli.main(["policy", "show", str(file)]), capsys.readouterr().out


def test_a_whole_policy_is_said_to_be_right_with_what_it_fits(capsys, tmp_path):
    status, said = shown(capsys, tmp_path, policy(5, "0123"))
    assert status == 0 and said.rstrip().endswith("golden pair: right")
    assert (
        f"made of {robot_part(ROBOT, 'joint')['map_hash']}" in said
        and f"ONNX opset {OPSET}" in said
        and "-99.00 .. 99.00" in said
    )


def test_an_altered_policy_is_said_to_be_wrong_by_the_exit_status_too(capsys, tmp_path):
    status, said = shown(capsys, tmp_path, edited(content(), altered_weights))
    assert status == 1 and "golden pair: WRONG: policy 7 does not answer" in said and "not timed" in said
