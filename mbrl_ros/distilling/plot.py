"""The picture of a distillation: how far the policy is from its teacher, and what it earns, round by round."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from mbrl_ros.control.picture import saved  # noqa: E402
from mbrl_ros.distilling.rounds import Round  # noqa: E402


def plot_rounds(rounds: Sequence[Round], path: Path, title: str) -> Path:
    figure, (imitation, reward) = plt.subplots(2, 1, figsize=(7, 6), sharex=True)
    decisions = [r.decisions for r in rounds]
    imitation.plot(decisions, [r.imitation for r in rounds], "-o", label="where it came to itself")
    imitation.plot(decisions, [r.loss for r in rounds], "--s", label="on what it learned")
    imitation.set(ylabel="distance to the planner", title=title, yscale="log")
    imitation.legend(fontsize=8)
    reward.plot(decisions, [r.reward for r in rounds], "-o")
    best = [r for r in rounds if r.best][-1:]
    reward.plot([r.decisions for r in best], [r.reward for r in best], "*", markersize=12)
    reward.set(xlabel="decisions of the planner", ylabel="reward a step, in the model")
    figure.tight_layout()
    return saved(figure, path)
