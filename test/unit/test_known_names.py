"""What can be chosen by name is there, and what is not is answered with what is."""

import pytest

from mbrl_ros.known import KINDS, the

EVERY = [(kind, name) for kind, known in KINDS.items() for name in known]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_name_leads_to_its_module(kind, name):
    assert the(kind, name).__name__ == KINDS[kind][name]


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_name_is_answered_with_the_known_ones_and_where_to_add_one(kind):
    first = next(iter(KINDS[kind]))
    with pytest.raises(ValueError, match=rf"no {kind} 'nosuch'. Known: {first}.*mbrl_ros/known.py"):
        the(kind, "nosuch")
