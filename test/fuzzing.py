"""What may be wrong with what comes in: odd numbers, odd texts, damaged bytes; and how many of them are tried.

The same ones each time. MBRL_ROS_FUZZ=1000 tries so many of each instead of 100.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("MBRL_ROS_FUZZ", "100"))


def tried(share: float = 1.0, **more):
    """Decorates a test; `share` of the examples where each is costly."""
    return settings(
        max_examples=max(10, round(share * EXAMPLES)),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )


# Numbers: what a sensor says, what no sensor says, and what no number is.
plain = st.floats(-3.0, 3.0)
odd = st.one_of(
    st.sampled_from([float("nan"), float("inf"), float("-inf"), 5e-324, -0.0, 1.7e308, -1.7e308, 1e39, -1e20, 2.0**63]),
    st.floats(),
)
numbers = st.one_of(plain, plain, plain, odd)
words = st.one_of(st.sampled_from(["", "=", "nan", "-1", "--1", "1e9", "²", "٣", "9" * 5000, "9" * 400]), st.text())
whole = st.one_of(
    st.integers(-10, 1000),
    st.sampled_from([2**31 - 1, -(2**31), 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**400]),
    st.integers(),
)


def some_of(names) -> st.SearchStrategy[list[str]]:
    """Names as they should be, in another order, too few, too many, twice, and others."""
    names = list(names)
    return st.one_of(
        st.just(names),
        st.permutations(names),
        st.permutations(names).map(lambda n: [*n, "wheel"]),
        st.permutations(names).map(lambda n: [*n, n[0]]),
        st.lists(st.sampled_from(names), max_size=len(names)),
        st.lists(words, max_size=4),
    )


def as_many(count: int, of=numbers) -> st.SearchStrategy[list[float]]:
    """Mostly so many as there should be: a list of another length is refused before its numbers are looked at."""
    exactly = st.lists(of, min_size=count, max_size=count)
    return st.one_of(exactly, exactly, exactly, st.lists(of, max_size=count + 2))


@st.composite
def damaged(draw, content: bytes, other: bytes = b"") -> bytes:
    """`content` cut off, with bits flipped, with pieces of it or of `other` elsewhere; or other bytes altogether."""
    kind = draw(st.sampled_from(["cut", "flip", "flip early", "splice", "grown", "random"]))
    if kind == "random" or not content:
        return draw(st.binary(max_size=300))
    if kind == "cut":
        return content[: draw(st.integers(0, len(content) - 1))]
    if kind == "grown":
        return content + draw(st.binary(min_size=1, max_size=50))
    spoilt = bytearray(content)
    if kind == "splice":
        source = other or content
        at, begin = draw(st.integers(0, len(content) - 1)), draw(st.integers(0, len(source) - 1))
        piece = source[begin : begin + draw(st.integers(1, 200))]
        spoilt[at : at + draw(st.sampled_from([0, len(piece)]))] = piece
        return bytes(spoilt)
    # What says how the rest is to be read stands at the beginning of most files.
    last = min(len(content), 2000) if kind == "flip early" else len(content)
    for _ in range(draw(st.integers(1, 4))):
        spoilt[draw(st.integers(0, last - 1))] ^= draw(st.integers(1, 255))
    return bytes(spoilt)


# What a file in JSON or YAML may hold where something else is expected.
things = st.recursive(
    st.one_of(st.none(), st.booleans(), whole, odd, plain, words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=5,
)


@st.composite
def confused(draw, tree):
    """A tree of dicts and lists with one thing in it changed, removed or added, at a place of any depth."""
    if isinstance(tree, (dict, list)) and tree and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(list(tree) if isinstance(tree, dict) else range(len(tree))))
        changed = tree.copy()
        changed[key] = draw(confused(tree[key]))
        return changed
    if isinstance(tree, dict) and draw(st.booleans()):
        return {**tree, draw(words): draw(things)}
    if isinstance(tree, (dict, list)) and tree and draw(st.booleans()):
        key = draw(st.sampled_from(list(tree) if isinstance(tree, dict) else range(len(tree))))
        return {k: v for k, v in tree.items() if k != key} if isinstance(tree, dict) else tree[:key] + tree[key + 1 :]
    return draw(things)
