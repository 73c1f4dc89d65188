"""A policy's file flies the robot that it was distilled for, and no other; whatever was done to it is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from learning_driver import GO1
from onnx import helper

from mbrl_ros.learning.policies import load_policy
from mbrl_ros.policies import runner
from mbrl_ros.policies.artefact import OPSET, to_bytes
from mbrl_ros.policies.card import CARD, PolicyCard, PolicyRefused, input_names, robot_part
from mbrl_ros.policies.network import new_policy, new_value
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.robots.action_maps import make_action_map, map_hash
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run

LAYOUT = FeatureLayout(GO1)
MAP = make_action_map("gait", GO1)
INPUTS = LAYOUT.size + 5


def card(spec=GO1, **changes) -> PolicyCard:
    names = input_names(FeatureLayout(spec), 3)
    about = {
        "task": "quadruped", "version": 7,
        "model_version": 44, "model_hash": "0123", "seen": names, "lowest": [-1.0] * INPUTS, "highest": [1.0] * INPUTS,
        "golden_seen": [], "golden_prior": [], "golden_decisions": [], "golden_value": 0.0, "discount": 0.95,
        **robot_part(spec, "gait"),
    }  # fmt: skip
    return PolicyCard(**about | changes)


def network(seed=0):
    generator = torch.Generator().manual_seed(seed)
    policy = new_policy(LAYOUT, torch.randn(50, LAYOUT.size, generator=generator), 3, MAP.bounds, seed)
    policy.weights[-1].mul_(50.0)  # as one that has learned something
    return policy


def example(seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(INPUTS, generator=generator), MAP.prior(torch.tensor([0.3, 0.0, 0.1]))


def content(policy=None, **changes) -> bytes:
    policy = policy or network()
    return to_bytes(policy, worth(policy), card(**changes), example())


def worth(policy):
    value = new_value(policy, 3)
    value.weights[-1].mul_(50.0)
    return replace(value, offset=torch.tensor(-20.0), scale=torch.tensor(4.0))


def loaded(data: bytes, spec=GO1, task="quadruped", action_map="gait") -> OnnxPolicy:
    return OnnxPolicy(data, FeatureLayout(spec), task, action_map, 3)


def edited(data: bytes, change) -> bytes:
    made = onnx.load_from_string(data)
    change(made)
    return made.SerializeToString()


def with_card(data: bytes, **changes) -> bytes:
    def change(made):
        about = PolicyCard.from_json(made.metadata_props[0].value)
        del made.metadata_props[:]
        helper.set_model_props(made, {CARD: replace(about, **changes).to_json()})

    return edited(data, change)


@pytest.mark.parametrize("seed", range(5))
def test_the_file_decides_as_the_network_does(seed):
    policy = network(seed)
    ours = loaded(content(policy))
    for other in range(10):
        seen, prior = example(other)
        wanted = policy.decide(seen[None], prior[None])[0].numpy()
        np.testing.assert_allclose(ours.decide(seen.numpy(), prior.numpy()), wanted, atol=1e-5)


def test_decisions_stay_in_their_bounds():
    wild = network()
    wild.weights[-1].mul_(1e3)
    seen, prior = example()
    found = loaded(content(wild)).decide(seen.numpy(), prior.numpy())
    assert (found >= MAP.bounds[0].numpy()).all() and (found <= MAP.bounds[1].numpy()).all()
    assert np.abs(found).max() == 1.0


def test_what_is_in_the_file_can_be_read():
    about = loaded(content()).card
    assert (about.robot, about.version, about.model_version) == ("go1_like", 7, 44)
    assert about.joints == tuple(GO1.actuated_names) and len(about.golden_seen) == INPUTS


def test_an_untrained_policy_is_nearly_its_prior():
    policy = new_policy(LAYOUT, torch.randn(50, LAYOUT.size), 3, MAP.bounds, 0)
    seen, prior = example()
    torch.testing.assert_close(policy.decide(seen[None], prior[None])[0], prior, atol=0.05, rtol=0)


def test_inputs_out_of_any_range_seen_are_strange():
    policy = loaded(content())
    seen = np.zeros(INPUTS, np.float32)
    assert len(policy.strange(seen)) == 0
    seen[3], seen[9] = 5.0, np.nan
    assert policy.strange(seen).tolist() == [3, 9]


SWAPPED = [*GO1.actuated_names[1::-1], *GO1.actuated_names[2:]]
LOW = np.array(GO1.target_limits[0])


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"joints": SWAPPED}, "in another order: FR_thigh_joint where FR_hip_joint"),
        ({"joints": ["tail", *GO1.actuated_names[1:]]}, "without FR_hip_joint, with tail"),
        ({"low": [*(LOW[:3] - 0.1), *LOW[3:]]}, "low differs at FR_hip_joint, FR_thigh_joint, FR_calf_joint"),
        ({"high": [1.0]}, "high differs"),
        ({"kp": [25.0] * 12}, "kp differs"),
        ({"kv": [9.0] * 12}, "kv differs"),
        ({"layout": "f" * 16}, "layout 'ffffffffffffffff'"),
        ({"task": "cartpole"}, "task 'cartpole', not 'quadruped'"),
        ({"action_map": "joint"}, "action_map 'joint', not 'gait'"),
        ({"seen": ["x"] * INPUTS}, "differ"),
        ({"golden_decisions": [0.5] * 16}, "golden"),
        ({"golden_decisions": [0.5]}, "golden"),
        ({"golden_value": 0.5}, "golden"),
        ({"golden_seen": [0.0]}, "not as long as"),
        ({"lowest": []}, "not as long as"),
        ({"golden_prior": [0.0]}, "its card says"),
        ({"map_hash": "f" * 16}, "the gait or the action map 'gait' was changed since"),
        ({"discount": 1.0}, "discount 1 must be"),
        ({"discount": -0.1}, "discount -0.1 must be"),
        ({"model_version": -1}, "model_version -1"),
        ({"lowest": [0.0, 2.0, *[0.0] * (INPUTS - 2)]}, "gy from 2 to 1: its lowest is above its highest"),
        ({"low": [9.0, *LOW[1:]]}, "FR_hip_joint from 9 to 0.863: its lowest is above its highest"),
    ],
)
def test_a_card_that_does_not_fit_is_refused_by_name_and_reason(changes, reason):
    with pytest.raises(PolicyRefused, match=reason) as refusal:
        loaded(with_card(content(), **changes))
    assert refusal.value.version == 7


def test_the_number_of_another_robots_policy_says_nothing_here():
    with pytest.raises(PolicyRefused, match="robot 'another' is not for 'go1_like'") as refusal:
        loaded(with_card(content(), robot="another"))
    assert refusal.value.version is None


@pytest.mark.parametrize("version", [0, -1, 2**53 + 1])
def test_what_cannot_count_versions_is_none(version):
    with pytest.raises(PolicyRefused, match=f"not a policy file: version {version}"):
        loaded(with_card(content(), version=version))


@pytest.mark.parametrize("changes", [{"period": 0.5}, {"duty": 0.6}, {"stride": (0.5, 0.3, 1.0)}])
def test_a_robot_of_another_gait_refuses_it(changes):
    legs = replace(GO1.legs, gait=replace(GO1.legs.gait, **changes))
    with pytest.raises(PolicyRefused, match="the gait or the action map 'gait' was changed since"):
        loaded(content(), spec=replace(GO1, legs=legs))


def test_a_robot_with_other_legs_refuses_it():
    with pytest.raises(PolicyRefused, match="the gait or the action map"):
        loaded(content(), spec=replace(GO1, legs=replace(GO1.legs, thigh=GO1.legs.thigh + 0.01)))


def test_the_last_bit_of_a_number_is_no_other_gait():
    mass = float(np.nextafter(GO1.base.mass, 100.0))
    assert map_hash("gait", replace(GO1, base=replace(GO1.base, mass=mass))) == map_hash("gait", GO1)


def test_a_policy_of_another_number_of_decisions_is_refused():
    """Whole in itself, but the action map would not know what to do with them."""
    bounds = MAP.bounds[:, :15]
    small = new_policy(LAYOUT, torch.randn(50, LAYOUT.size), 3, bounds, 0)
    seen, prior = example()
    data = to_bytes(small, worth(small), card(), (seen, prior[:15]))
    with pytest.raises(PolicyRefused, match="15 and 15 decisions, action map 'gait' has 16"):
        loaded(data)


@pytest.mark.parametrize("file", ["quadruped_mpc", "cartpole_mpc"])
def test_the_policies_that_are_shipped_fit_their_robots(file):
    run = load_run(file)
    assert load_policy(run, load_robot(run.planner.robot)).card.map_hash


def test_limits_that_were_tightened_since_refuse_it():
    hip = replace(GO1.joints[0], position=(-0.5, 0.5))
    with pytest.raises(PolicyRefused, match="low differs at FR_hip_joint"):
        loaded(content(), spec=replace(GO1, joints=(hip, *GO1.joints[1:])))


def nan_weights(made):
    weights = max(made.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = onnx.numpy_helper.to_array(weights).copy()
    values[0, 0] = np.nan
    weights.raw_data = values.tobytes()


def altered_weights(made):
    weights = max(made.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weights.raw_data = (onnx.numpy_helper.to_array(weights) * 1.5).astype(np.float32).tobytes()


def unknown_opset(made):
    made.opset_import[0].version = 999


def no_card(made):
    del made.metadata_props[:]


def torn_card(made):
    made.metadata_props[0].value = made.metadata_props[0].value[:-50]


def huge_number(made):
    made.metadata_props[0].value = made.metadata_props[0].value.replace('"discount": 0.95', f'"discount": {10**400}')


def huge_card(made):
    made.metadata_props.add(key="novel", value="x" * 2_000_000)


def renamed(*names):
    """The graph answers as before; only a planner finds nothing under these names."""

    def change(made):
        for constant in made.graph.initializer:
            if constant.name in names:
                old, constant.name = constant.name, f"other {constant.name}"
                for node in made.graph.node:
                    node.input[:] = [constant.name if i == old else i for i in node.input]

    return change


def other_weights_for_the_planner(made):
    """The graph answers right by weights under other names."""
    renamed("policy.weight0")(made)
    (right,) = (c for c in made.graph.initializer if c.name == "other policy.weight0")
    wrong = made.graph.initializer.add()
    wrong.CopyFrom(right)
    wrong.name = "policy.weight0"
    wrong.raw_data = (onnx.numpy_helper.to_array(right) * 1.5).astype(np.float32).tobytes()


def answers_renamed(made):
    made.graph.output[1].name = "worth"
    for node in made.graph.node:
        node.output[:] = ["worth" if o == "value" else o for o in node.output]


@pytest.mark.parametrize(
    "change, reason",
    [
        (nan_weights, "golden"),
        (altered_weights, "golden"),
        (unknown_opset, "not a policy that this onnxruntime can load"),
        (no_card, "it has no card"),
        (torn_card, "its card is damaged"),
        (huge_number, "its card is damaged"),
        (huge_card, "letters about itself"),
        (renamed("policy.weight0"), "it has no 'policy.weight0'"),
        (renamed("policy.weight2"), "does not run|golden"),
        (renamed("value.bias0"), "it has no 'value.bias0'"),
        (renamed("mean"), "it has no 'mean'"),
        (renamed(*(f"policy.weight{i}" for i in range(3))), "it has no policy.weight0"),
        (other_weights_for_the_planner, "golden"),
        (answers_renamed, "answers"),
    ],
)
def test_a_file_that_was_altered_is_refused(change, reason):
    with pytest.raises(PolicyRefused, match=reason):
        loaded(edited(content(), change))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_refused(share):
    data = content()
    with pytest.raises(PolicyRefused):
        loaded(data[: int(share * len(data))])


def test_an_older_opset_is_written_than_this_runtime_knows():
    assert max(entry.version for entry in onnx.load_from_string(content()).opset_import) == OPSET


def test_a_provider_that_is_listed_but_does_not_load_leaves_the_processor(monkeypatch):
    """A wheel names what it was built for, whether or not the machine has it."""
    monkeypatch.setattr(runner, "_has_gpu", lambda: True)
    monkeypatch.setattr(runner.onnxruntime, "get_available_providers", lambda: list(runner.PROVIDERS))
    policy = loaded(content())
    seen, prior = example()
    assert policy.provider == "CPUExecutionProvider"
    wanted = network().decide(seen[None], prior[None])[0].numpy()
    np.testing.assert_allclose(policy.decide(seen.numpy(), prior.numpy()), wanted, atol=1e-5)


@pytest.mark.parametrize("fault", ["wrong", "slow"])
def test_a_provider_that_answers_wrongly_or_is_slower_is_not_taken(monkeypatch, fault):
    class Session:
        """As if CUDA had loaded."""

        def __init__(self, session):
            self._session = session

        def get_providers(self):
            return ["CUDAExecutionProvider", "CPUExecutionProvider"]

        def run(self, *arguments):
            return [found + (fault == "wrong") for found in self._session.run(*arguments)]

    def session(data, provider):
        found = make(data, "CPUExecutionProvider")
        return Session(found) if provider == "CUDAExecutionProvider" else found

    make, times = runner._session, {"slow": iter([10.0, 20.0]), "wrong": iter([10.0, 1.0])}[fault]
    monkeypatch.setattr(runner, "_has_gpu", lambda: True)
    monkeypatch.setattr(runner.onnxruntime, "get_available_providers", lambda: list(runner.PROVIDERS[1:]))
    monkeypatch.setattr(runner, "_session", session)
    monkeypatch.setattr(runner, "timed", lambda session, card: (next(times), 0.0))
    policy = loaded(content())
    assert policy.provider == "CPUExecutionProvider" and not isinstance(policy._session, Session)


def with_node(made):
    made.graph.node.append(helper.make_node("ConstantOfShape", ["seen"], ["huge"]))


def with_a_wide_weight(made):
    made.graph.initializer.append(helper.make_tensor("wide", onnx.TensorProto.FLOAT, [5000], [0.0] * 5000))


@pytest.mark.parametrize(
    ("change", "reason"), [(with_node, "it computes ConstantOfShape"), (with_a_wide_weight, "wide")]
)
def test_what_is_more_than_two_networks_is_refused_before_a_runtime_sees_it(change, reason, monkeypatch):
    made = edited(content(), change)
    monkeypatch.setattr(runner, "_session", lambda *_: pytest.fail("a runtime has seen it"))
    with pytest.raises(PolicyRefused, match=reason):
        loaded(made)
