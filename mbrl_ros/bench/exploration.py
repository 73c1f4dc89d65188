"""`mbrl bench exploration`: how much data ways of exploring and of replaying need to the same error."""

from __future__ import annotations

from mbrl_ros.bench import exploration_ways
from mbrl_ros.bench.experiments import Bar, Experiment
from mbrl_ros.bench.exploration_picture import plot_exploration

EXPERIMENTS: dict[str, Experiment] = exploration_ways.EXPERIMENTS
BARS = {  # by how a figure's name begins
    "explore: data to the same error": Bar(high=1.0),
    "replay: data to the same error": Bar(high=1.0),
}
PICTURES = {"exploration": plot_exploration}
