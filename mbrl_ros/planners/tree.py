"""A search tree in flat arrays: a node is a row, a branch is a row and one of K choices. It lives for one plan.

What is backed up is the return of the whole simulation, from the root to the horizon: siblings share what lies before
them, so their differences are the same as those of what lies ahead.

A branch is worth the best return through it, or the mean (`worth`). Nobody but the planner moves here, so the best one
can be had again; the mean counts every blunder of a simulation against where it began.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

NONE = -1


@dataclass(frozen=True)
class Descent:
    """One simulation's way down to a branch that nobody has played yet, or to the horizon."""

    nodes: list[int]
    branches: list[int]  # taken at each node

    @property
    def depth(self) -> int:
        return len(self.branches)


class Tree:
    """`root` (P, S) is the state that it grows from."""

    def __init__(self, root: Tensor, simulations: int, priors: np.ndarray, ties: np.ndarray, worth: str = "best"):
        """`priors` (H, K): of the branches at every depth. `ties` (nodes, K): decide between equal branches."""
        nodes, choices = ties.shape
        self.horizon, self.used, self._worth = len(priors), 1, worth
        self.children = np.full((nodes, choices), NONE)
        self.visits = np.zeros((nodes, choices))
        self.totals = np.zeros((nodes, choices))
        self.dead = np.zeros((nodes, choices), dtype=bool)  # branches that lead to no finite state
        self.priors, self._of_depth, self._ties = np.zeros((nodes, choices)), priors, ties
        self.priors[0] = priors[0]
        self.earned = np.zeros((nodes, len(root)))  # by each particle, on the way to each node
        self.states = root.new_zeros(nodes, *root.shape)
        self.states[0] = root
        self.low, self.high = np.inf, -np.inf  # of the returns seen
        self.usual = np.inf  # their median, when the batch before was over
        self.returns = np.full(simulations, -np.inf)
        self.choices = np.zeros((simulations, self.horizon), dtype=int)
        self.best = np.full((nodes, choices), NONE)  # the best simulation through each branch

    def descend(self, rule: Callable[[Tree, int], np.ndarray]) -> Descent:
        """The best branch by `rule` at every node. Whoever is on its way counts as a visit that brings the least, so
        that the next one of the same batch looks elsewhere (virtual loss)."""
        nodes, branches, node = [], [], 0
        while len(branches) < self.horizon:
            wish = np.where(self.dead[node], -np.inf, rule(self, node))
            branch = int(np.argmax(wish + 1e-9 * self._ties[node]))
            nodes.append(node)
            branches.append(branch)
            self.visits[node, branch] += 1
            self.totals[node, branch] += self.least
            node = self.children[node, branch]
            if node == NONE:
                break
        return Descent(nodes, branches)

    def begin(self, branch: int) -> Descent:
        """The way of the first simulation, whatever a rule says."""
        self.visits[0, branch] += 1
        return Descent([0], [branch])

    @property
    def least(self) -> float:
        """The lowest return so far."""
        return self.low if np.isfinite(self.low) else 0.0

    def grow(self, way: Descent, state: Tensor, reward: np.ndarray, depth: int) -> None:
        """A node at the end of `way`, `depth` steps from the root, that the particles have come to with rewards (P,);
        unless another simulation has made it, or there is no more room: simulations then go on from the branch."""
        node, branch = way.nodes[-1], way.branches[-1]
        if self.children[node, branch] != NONE or self.used == len(self.states):
            return
        if not (np.isfinite(reward).all() and torch.isfinite(state).all()):
            self.dead[node, branch] = True
            return
        child, self.used = self.used, self.used + 1
        self.children[node, branch] = child
        self.states[child], self.earned[child] = state, self.earned[node] + reward
        if depth < self.horizon:
            self.priors[child] = self._of_depth[depth]

    def lay(self, number: int, way: Descent, states: Tensor, rewards: np.ndarray) -> None:
        """All that simulation `number` came through after `way`, as far as there is room: states (T, P, S), rewards
        (T, P), those of the end of the way first. Who goes there next can leave it anywhere."""
        node = self.children[way.nodes[-1], way.branches[-1]]
        for depth in range(way.depth, self.horizon):
            branch, at = self.choices[number, depth], depth - way.depth + 1
            if node == NONE:
                return
            self.grow(Descent([node], [branch]), states[at], rewards[at], depth + 1)
            if self.visits[node, branch] == 0 and not self.dead[node, branch]:
                self.visits[node, branch], self.totals[node, branch] = 1, self.returns[number]
                self.best[node, branch] = number
            node = self.children[node, branch]

    def best_through(self, node: int) -> int:
        """The best simulation that has come through a node; NONE: there is none with a finite return."""
        found = self.best[node][self.best[node] != NONE]
        best = found[np.argmax(self.returns[found])] if len(found) else NONE
        return best if best != NONE and self.returns[best] > -np.inf else NONE

    def back_up(self, number: int, way: Descent, outcome: float, choices: np.ndarray, virtual: float) -> None:
        """What simulation `number`, with these choices (H,), has earned; `virtual` is what `descend` lent it."""
        if np.isfinite(outcome):
            self.low, self.high = min(self.low, outcome), max(self.high, outcome)
        self.returns[number], self.choices[number] = outcome if np.isfinite(outcome) else -np.inf, choices
        worth = outcome if np.isfinite(outcome) else self.least
        for node, branch in zip(way.nodes, way.branches, strict=True):
            self.totals[node, branch] += worth - virtual
            before = self.best[node, branch]
            if before == NONE or self.returns[before] < self.returns[number]:
                self.best[node, branch] = number

    def judge(self) -> None:
        """What is usual, by all returns so far."""
        seen = self.returns[self.returns > -np.inf]
        self.usual = float(np.median(seen)) if len(seen) else np.inf

    def normalised(self, node: int) -> np.ndarray:
        """(K,) what each branch is worth, 1 for the most seen; of nobody's branch, 0. Means are 0 for the least seen,
        and the best for the median: one blunder would make all that is good look the same."""
        if self._worth == "best":
            worth, low = self.returns[self.best[node]], self.usual
        else:
            worth, low = self.totals[node] / np.maximum(self.visits[node], 1), self.low
        span = self.high - low
        share = np.clip((worth - low) / span, 0.0, 1.0) if span > 0 else 0.5
        return np.where(self.best[node] != NONE, share, 0.0)

    def plan(self, sure: int) -> np.ndarray:
        """(H,) the best simulation; where means count, the most visited branches, as far as a node had `sure` visits,
        and from there on as its best simulation."""
        node, branches, best = 0, [], int(np.argmax(self.returns))
        if self._worth == "best":
            return self.choices[best]
        while len(branches) < self.horizon:
            if node == NONE or self.visits[node].sum() < sure:
                return np.append(branches, self.choices[best, len(branches) :]).astype(int)
            visits = np.where(self.dead[node], -1.0, self.visits[node])
            branch = int(np.argmax(visits + 1e-6 * self.normalised(node)))
            branches.append(branch)
            node, best = self.children[node, branch], self.best[node, branch]
        return np.array(branches)


def uct(exploration: float) -> Callable[[Tree, int], np.ndarray]:
    """Q + c sqrt(ln N / n); who was never visited comes first."""

    def rule(tree: Tree, node: int) -> np.ndarray:
        visits = tree.visits[node]
        bonus = np.sqrt(np.log(max(visits.sum(), 1.0)) / np.maximum(visits, 1))
        return np.where(visits > 0, tree.normalised(node) + exploration * bonus, np.inf)

    return rule


def puct(exploration: float) -> Callable[[Tree, int], np.ndarray]:
    """Q + c P sqrt(N) / (1 + n); who was never visited is taken for as good as the node."""

    def rule(tree: Tree, node: int) -> np.ndarray:
        visits, quality = tree.visits[node], tree.normalised(node)
        count = visits.sum()
        usual = (quality * visits).sum() / count if count else 0.5
        quality = np.where(visits > 0, quality, usual)
        return quality + exploration * tree.priors[node] * np.sqrt(count + 1) / (1 + visits)

    return rule
