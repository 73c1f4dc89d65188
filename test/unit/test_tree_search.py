"""Tree search in small mazes, stepped exactly."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from known_problems import planned

from mbrl_ros.planners.problem import NoPlan, Problem
from mbrl_ros.planners.tree import NONE, Descent, Tree

SHORT = ["#####", "#S..#", "##..#", "#G..#", "#####"]
LONG = ["######", "#S.#G#", "#..#.#", "##...#", "######"]
LONGER = ["#########", "#S..#...#", "#.#.#.#.#", "#.#...#G#", "#########"]
MOVES = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])


class Maze:
    """Who walks into a wall stays where he is; being at the goal earns 1 a step, all else nothing."""

    def __init__(self, rows, horizon):
        self.cells, self.horizon = torch.tensor([[cell != "#" for cell in row] for row in rows]), horizon
        self.start, self.goal = (self._find(rows, mark) for mark in "SG")

    @staticmethod
    def _find(rows, mark):
        return torch.tensor(next((r, row.index(mark)) for r, row in enumerate(rows) if mark in row)).float()

    def step(self, states, moves):
        """(B, P, 2), (B, T, 2) -> (B, T, P, 2), (B, T, P)"""
        out = []
        for t in range(moves.shape[1]):
            ahead = states + moves[:, t, None]
            free = self.cells[ahead[..., 0].long(), ahead[..., 1].long()]
            states = torch.where(free[..., None], ahead, states)
            out.append(states)
        out = torch.stack(out, 1)
        return out, (out == self.goal).all(-1).float()

    def problem(self, simulations, **more):
        bounds = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
        return Problem(
            lambda d: torch.zeros(len(d)), bounds, torch.full((2,), 0.5), torch.zeros(self.horizon, 2), simulations,
            root=self.start.expand(1, 2), step=self.step, choices=MOVES, **more,
        )  # fmt: skip

    def solved(self, simulations, **settings):
        """Share of the plans that end at the goal, over seeds."""
        ends = []
        for seed in range(12):
            found = planned("mcts", self.problem(simulations), seed, **settings)
            states, _ = self.step(self.start.expand(1, 1, 2), found.actions[None])
            ends.append(bool((states[0, -1, 0] == self.goal).all()))
        return float(np.mean(ends))


def test_strength_grows_with_simulations():
    shares = [Maze(LONG, 9).solved(n) for n in (20, 100, 800)]
    assert shares[0] < 0.2 < shares[1] < 0.7 < shares[2]


class Yard:
    """Round a wall in the middle to a goal: -0.1 a step and pace from it, and -50 a step within the wall."""

    start = torch.tensor([[0.0, -3.0]])

    def __init__(self, horizon):
        self.horizon = horizon

    def step(self, states, moves):
        """(B, P, 2), (B, T, 2) -> (B, T, P, 2), (B, T, P)"""
        out = states[:, None] + moves.cumsum(1)[:, :, None]
        in_the_wall = (out[..., 0].abs() <= 2) & (out[..., 1].abs() < 1)
        away = (out - torch.tensor([0.0, 3.0])).norm(dim=-1)
        return out, -0.1 * away - 50.0 * in_the_wall

    def plan(self, seed, **settings):
        problem = Maze(SHORT, self.horizon).problem(150)
        return planned("mcts", replace(problem, root=self.start, step=self.step), seed, **settings)

    def found(self, **settings):
        """The best return of a simulation, mean over seeds."""
        return np.mean([self.plan(seed, **settings).best for seed in range(8)])

    def arrives(self, **settings):
        """Share of the plans that end within a pace of the goal, and have not been in the wall."""
        well = []
        for seed in range(8):
            states, rewards = self.step(self.start[None], self.plan(seed, **settings).actions[None])
            well.append(bool(rewards.sum() > -50 and (states[0, -1, 0] - torch.tensor([0.0, 3.0])).norm() <= 1))
        return float(np.mean(well))


def test_a_tree_is_stronger_than_breadth_with_as_many_simulations():
    """Told to explore beyond all returns it does not use what it has seen."""
    deep, wide = (Yard(16).found(exploration=c, simulation="random", follow=0.0) for c in (0.7, 100.0))
    assert deep > wide + 0.2


def test_one_blunder_does_not_hide_what_is_good():
    """Where means are scaled by the least return seen, all branches look the same."""
    assert Yard(16).found(simulation="random") > Yard(16).found(simulation="random", worth="mean") + 0.5


def test_who_goes_on_greedily_from_an_excursion_finds_the_way_round():
    greedy, by_chance = (Yard(16).arrives(simulation=how, follow=0.2) for how in ("greedy", "priors"))
    assert greedy >= 0.9 and greedy >= by_chance + 0.3


@pytest.mark.parametrize("rule", ["uct", "puct"])
@pytest.mark.parametrize("batch", [1, 32])
def test_both_rules_arrive_one_at_a_time_and_many_at_once(rule, batch):
    assert Maze(SHORT, 8).solved(300, rule=rule, batch=batch, simulation="random") >= 0.8


def batches(simulations, batch):
    """How many simulations each call of the model played."""
    maze, calls = Maze(SHORT, 8), []

    def step(states, moves):
        calls.append(len(states))
        return maze.step(states, moves)

    planned("mcts", replace(maze.problem(simulations), step=step), batch=batch, simulation="random")
    return calls


def test_a_batch_is_played_in_one_call_of_the_model():
    calls = batches(simulations=100, batch=10)
    assert calls == [10] * 10


def test_a_batch_is_never_so_large_that_nothing_is_learned_on_the_way():
    calls = batches(simulations=20, batch=1000)
    assert max(calls) == 3


def test_what_is_said_of_the_end_leads_where_the_horizon_does_not_reach():
    """Six steps ahead, and seven to the only reward: nothing that is earned on the way says where to go."""
    maze = Maze(LONG, 6)

    def ends(states):
        """How near it is, by the steps that are left (those who know the maze)."""
        left = {(1, 1): 7, (1, 2): 6, (2, 1): 6, (2, 2): 5, (3, 2): 4, (3, 3): 3, (3, 4): 2, (2, 4): 1, (1, 4): 0}
        return -torch.tensor([[left.get(tuple(cell), 9.0)] for cell in states[:, 0].long().tolist()])

    blind, led = ([], [])
    for found, value in ((blind, None), (led, ends)):
        for seed in range(12):
            plan = planned("mcts", maze.problem(200, ends=value), seed, simulation="random")
            states, _ = maze.step(maze.start.expand(1, 1, 2), plan.actions[None])
            found.append(float(ends(states[:, -1])))
    assert np.mean(led) > np.mean(blind) + 1.5


def test_the_plan_before_is_where_simulations_begin():
    """A way that was found once is found again with a handful."""
    maze = Maze(LONG, 9)
    way = MOVES[[0, 1, 1, 0, 0, 3, 3, 3, 3]]
    found = planned("mcts", maze.problem(10), warm=way)
    assert found.best == 3.0  # at the goal in the seventh step, and for the two that are left
    assert planned("mcts", maze.problem(10)).best < 3.0


def test_a_branch_that_leads_nowhere_finite_is_never_chosen():
    maze = Maze(SHORT, 8)

    def step(states, moves):
        after, rewards = maze.step(states, moves)
        return after, torch.where(moves[..., None, 1] == 1.0, torch.nan, rewards)  # to the right

    found = planned("mcts", replace(maze.problem(200), step=step))
    assert (found.actions[0] != MOVES[0]).any() and found.non_finite > 0


def test_continuous_decisions_get_a_grid_and_too_many_are_refused():
    def step(states, decisions):
        return states[:, None].expand(-1, decisions.shape[1], -1, -1), -(decisions - 0.5).square().sum(-1, keepdim=True)

    maze = replace(Maze(SHORT, 4).problem(400), choices=None, step=step)
    found = planned("mcts", maze, levels=5)  # -1, -0.5, 0, 0.5, 1
    torch.testing.assert_close(found.actions[0], torch.full((2,), 0.5))
    wide = replace(maze, bounds=torch.tensor([[-1.0] * 12, [1.0] * 12]), prior=torch.zeros(4, 12))
    refused = planned("mcts", wide, levels=5)
    assert isinstance(refused, NoPlan) and "5^12" in refused.reason


def test_without_a_model_to_step_it_says_so():
    refused = planned("mcts", replace(Maze(SHORT, 8).problem(50), step=None))
    assert isinstance(refused, NoPlan)


def test_a_tree_that_is_full_goes_on_without_growing():
    """The best ways are laid into it whole, so it may be full before the last simulation."""
    tree = Tree(torch.zeros(1, 2), simulations=4, priors=np.full((3, 2), 0.5), ties=np.zeros((2, 2)))
    for number, branch in enumerate((0, 1, 1)):
        way = Descent([0], [branch])
        tree.grow(way, torch.ones(1, 2), np.ones(1), depth=1)
        tree.back_up(number, way, 1.0 + number, np.array([branch, 0, 0]), 0.0)
    assert tree.used == 2 and tree.children[0].tolist() == [1, NONE]
    assert tree.plan(1).tolist() == [1, 0, 0]
