"""Votes for motions, and the one that is taken."""

from dataclasses import replace

import pytest
import torch

from mbrl_ros.robots.action_maps import PrimitiveMap, make_action_map
from mbrl_ros.robots.spec import load_robot

ROVER = load_robot("rover")
MAP = PrimitiveMap(ROVER)


def told(votes):
    return MAP.decode(torch.tensor(votes)[None, None], torch.zeros(1)).flatten().tolist()


def test_its_choices_are_its_motions_one_by_one():
    numbers = MAP.decode(MAP.choices[:, None], torch.zeros(1)).flatten().tolist()
    assert numbers == list(range(len(ROVER.primitives)))
    assert MAP.choices.shape == (len(ROVER.primitives), MAP.size)
    assert (MAP.choices >= MAP.bounds[0]).all() and (MAP.choices <= MAP.bounds[1]).all()


def test_the_most_votes_win_and_where_nobody_votes_it_stops():
    assert told([0.1, 0.2, -0.5, 0.9, 0.3, 0.8]) == [3.0]
    assert told([0.0] * 6) == [0.0]
    assert told([-1.0, -0.4, -0.2, -0.3, -0.9, -0.5]) == [2.0]


def test_a_mean_of_votes_is_a_vote_and_no_motion_in_between():
    left, right = [0.0, 0.0, 0.0, 0.2, 0.0, 0.9], [0.0, 0.9, 0.0, 0.3, 0.0, 0.0]
    assert told(left) == [5.0] and told(right) == [1.0]
    assert told([(a + b) / 2 for a, b in zip(left, right, strict=True)])[0] in (1.0, 5.0)


def test_a_vote_that_is_no_number_gives_no_target():
    assert not torch.isfinite(torch.tensor(told([0.0, float("nan"), 0.0, 0.0, 0.0, 0.0]))).any()


def test_a_robot_without_numbered_motions_is_refused():
    with pytest.raises(ValueError, match="motions by number need `primitives`"):
        make_action_map("primitive", load_robot("car"))


@pytest.mark.parametrize(
    "odd",
    [
        {"primitives": ROVER.primitives[:4]},
        {"joints": (replace(ROVER.joints[0], mirror="primitive_joint"),)},
        {"joints": (ROVER.joints[0], replace(ROVER.joints[0], name="another"))},
    ],
    ids=["fewer motions than numbers", "a number has no mirror image", "two numbers"],
)
def test_motions_are_told_by_one_number_that_counts_them(odd):
    with pytest.raises(ValueError, match="motions in `primitives` are told by the number of one"):
        replace(ROVER, **odd)


def test_a_model_of_other_motions_is_one_of_another_robot():
    faster = replace(ROVER, primitives=tuple((2 * speed, rate) for speed, rate in ROVER.primitives))
    assert faster.layout_hash != ROVER.layout_hash
