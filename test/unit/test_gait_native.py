"""The gait map in C gives the targets of the one in torch."""

import pytest
import torch

from mbrl_ros.robots import gait_native
from mbrl_ros.robots.gait import GaitMap
from mbrl_ros.robots.spec import load_robot

pytestmark = pytest.mark.skipif(gait_native.why_not(), reason=str(gait_native.why_not()))


@pytest.mark.parametrize("count", [1, 16, 37])
def test_compiled_targets_are_those_of_torch(count):
    gait = GaitMap(load_robot("go1_like"))
    generator = torch.Generator().manual_seed(count)
    low, high = gait.bounds
    decisions = low + (high - low) * torch.rand(count, 12, gait.size, generator=generator)
    phase = torch.rand(12, generator=generator)
    for asked in (
        decisions,
        decisions.transpose(0, 1).contiguous().transpose(0, 1),
        decisions[:, ::2],
        1.7 * decisions,
    ):
        when = phase[: asked.shape[1]]
        assert torch.allclose(gait.decode(asked, when), gait.decode_by_torch(asked, when), atol=3e-6)


def test_what_is_not_a_number_stays_so_and_changes_no_other_candidate():
    gait = GaitMap(load_robot("go1_like"))
    decisions, phase = torch.rand(20, 5, gait.size), torch.rand(5)
    whole = gait.decode(decisions, phase)
    for poisoned in range(gait.size):
        asked = decisions.clone()
        asked[3, :, poisoned] = torch.nan
        targets = gait.decode(asked, phase)
        assert torch.equal(targets.isnan(), gait.decode_by_torch(asked, phase).isnan())
        others = torch.arange(20) != 3
        assert torch.equal(whole[others], targets[others])


def test_the_way_back_is_that_of_torch():
    gait = GaitMap(load_robot("go1_like"))
    generator = torch.Generator().manual_seed(0)
    decisions = 0.5 * torch.rand(3, 7, gait.size, generator=generator)
    phase, weights = torch.rand(7, generator=generator), torch.randn(3, 7, 12, generator=generator)

    def slope(decode):
        asked = decisions.clone().requires_grad_()
        return torch.autograd.grad((decode(asked, phase) * weights).sum(), asked)[0]

    expected = slope(gait.decode_by_torch)
    assert (slope(gait.decode) - expected).norm() < 0.003 * expected.norm()
