"""A model as bytes, and everything that is no model of this robot."""

import json
import pickle
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE, GO1, SMALL
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from mbrl_ros.dynamics.ensemble import Normaliser, new_ensemble
from mbrl_ros.dynamics.storage import Card, ModelRefused, from_bytes, read_header, to_bytes
from mbrl_ros.robots.features import FeatureLayout

LAYOUT = FeatureLayout(CARTPOLE)
CARD = Card("cartpole", CARTPOLE.layout_hash, 7, 12.5, 0.31, 0.87)


def model(seed=0):
    some = torch.rand(LAYOUT.size) + 0.5
    return replace(new_ensemble(SMALL, LAYOUT, seed), normaliser=Normaliser(some - 1, some, 0.1 * some, 0.2 * some))


def rewritten(content: bytes, change=lambda tensors: None, **metadata) -> bytes:
    """The same file with other tensors or other metadata."""
    tensors = load_tensors(content)
    change(tensors)
    return save_tensors(tensors, read_header(content) | metadata)


def test_what_is_read_back_is_what_was_written():
    written = model()
    read, card = from_bytes(to_bytes(written, CARD), LAYOUT)
    assert card == CARD
    assert read.config == written.config
    states, actions = torch.randn(3, 4, LAYOUT.size), torch.randn(3, 4, 5, 1)
    assert torch.equal(read.rollout(states, actions), written.rollout(states, actions))


def test_a_model_of_another_robot_is_refused_by_its_name():
    with pytest.raises(ModelRefused, match=r"model of robot 'cartpole' .* does not fit 'go1_like'"):
        from_bytes(to_bytes(model(), CARD), FeatureLayout(GO1))


@pytest.mark.parametrize(
    "other",
    [
        replace(CARTPOLE, dt=0.02),
        replace(CARTPOLE, joints=CARTPOLE.joints[::-1]),
        replace(CARTPOLE, joints=(replace(CARTPOLE.joints[0], action_scale=5.0), CARTPOLE.joints[1])),
    ],
    ids=["another step", "another order of joints", "other units"],
)
def test_a_model_of_the_same_robot_in_another_layout_is_refused(other):
    with pytest.raises(ModelRefused, match="joints, gains, features or dt differ; train one with"):
        from_bytes(to_bytes(model(), CARD), FeatureLayout(other))


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 4, b"hello, this is no model", b"\xff" * 100, b"PK\x03\x04" + bytes(200)]
)
def test_bytes_that_are_no_model_are_refused(content):
    with pytest.raises(ModelRefused, match="not a model file"):
        from_bytes(content, LAYOUT)


@pytest.mark.parametrize("card", ["[" * 100_000, json.dumps(asdict(replace(CARD, version=-3)))])
def test_a_card_that_makes_no_sense_is_refused(card):
    with pytest.raises(ModelRefused, match="not a model file"):
        from_bytes(rewritten(to_bytes(model(), CARD), card=card), LAYOUT)


def test_a_model_for_other_gains_is_another_robots_model():
    stiffer = replace(GO1, joints=tuple(replace(j, kp=2 * j.kp) for j in GO1.joints))
    assert stiffer.layout_hash != GO1.layout_hash


def test_a_pickle_is_refused_and_not_run():
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was run",))

    with pytest.raises(ModelRefused, match="not a model file"):
        from_bytes(pickle.dumps(Trap()), LAYOUT)


def test_a_file_that_was_cut_off_is_refused_wherever_it_was_cut():
    content = to_bytes(model(), CARD)
    for length in [*range(0, 64), *range(64, len(content), 997), len(content) - 1]:
        with pytest.raises(ModelRefused):
            from_bytes(content[:length], LAYOUT)


def test_a_damaged_file_is_read_or_refused_and_never_anything_else():
    content, generator = to_bytes(model(), CARD), np.random.default_rng(0)
    header = int.from_bytes(content[:8], "little") + 8
    refused = 0
    for k in range(600):
        damaged = bytearray(content)
        within = 8 if k % 6 == 0 else header  # most of it where the meaning is
        for place in generator.integers(within, size=generator.integers(1, 4)):
            damaged[place] = generator.integers(256)
        try:
            from_bytes(bytes(damaged), LAYOUT)
        except ModelRefused:
            refused += 1
    assert refused > 300


@pytest.mark.parametrize("name", ["weight.0", "bias.2", "normaliser.step_std"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(name, bad):
    def spoil(tensors):
        tensors[name].view(-1)[3] = bad

    with pytest.raises(ModelRefused, match="not finite"):
        from_bytes(rewritten(to_bytes(model(), CARD), spoil), LAYOUT)


@pytest.mark.parametrize("name", ["normaliser.state_std", "normaliser.step_std"])
@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_a_standard_deviation_that_is_none_is_refused(name, bad):
    def spoil(tensors):
        tensors[name][2] = bad

    with pytest.raises(ModelRefused, match="standard deviation"):
        from_bytes(rewritten(to_bytes(model(), CARD), spoil), LAYOUT)


def test_a_missing_tensor_is_named():
    with pytest.raises(ModelRefused, match=r"lacks 'bias\.1'"):
        from_bytes(rewritten(to_bytes(model(), CARD), lambda tensors: tensors.pop("bias.1")), LAYOUT)


@pytest.mark.parametrize("tensor", [torch.zeros(3, 6, 99), torch.zeros(3, 6, 16, dtype=torch.float64)])
def test_a_tensor_of_another_shape_or_type_is_refused(tensor):
    with pytest.raises(ModelRefused, match=r"weight\.0 of .* expected \(3, 6, 16\) float32"):
        from_bytes(rewritten(to_bytes(model(), CARD), lambda tensors: tensors.update({"weight.0": tensor})), LAYOUT)


def test_a_card_that_does_not_say_what_it_must_is_refused():
    content = to_bytes(model(), CARD)
    card = json.loads(read_header(content)["card"])
    for wrong in (
        {k: v for k, v in card.items() if k != "layout"},
        card | {"version": "seven"},
        card | {"surprise": 1},
        [],
    ):
        with pytest.raises(ModelRefused, match="card is damaged"):
            from_bytes(rewritten(content, card=json.dumps(wrong)), LAYOUT)


def test_a_header_whose_card_is_no_text_is_refused():
    header = json.dumps({"__metadata__": {"card": 5, "ensemble": 5}}).encode()
    with pytest.raises(ModelRefused, match="card is damaged"):
        from_bytes(len(header).to_bytes(8, "little") + header, LAYOUT)


def test_a_file_that_claims_to_be_far_larger_than_it_is_is_refused_without_making_room_for_it():
    huge = {"members": 50, "width": 4096, "layers": 8}  # 23 GB of weights
    with pytest.raises(ModelRefused, match="expected"):
        from_bytes(rewritten(to_bytes(model(), CARD), ensemble=json.dumps(huge)), LAYOUT)
