"""The picture of experiments: every figure, its seeds, and whether it holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from mbrl_ros.bench.experiments import Figure  # noqa: E402
from mbrl_ros.control.picture import saved  # noqa: E402

COLOURS = {True: "C2", False: "C3", None: "C7"}


def plot_figures(rows: Sequence[Figure], path: Path, title: str) -> Path:
    """Mean, and least to most of the seeds."""
    figure, axes = plt.subplots(figsize=(11, 1.5 + 0.28 * len(rows)))
    for place, row in enumerate(rows):
        axes.hlines(place, row.lowest, row.highest, color=COLOURS[row.holds])
        axes.plot(row.seeds, [place] * len(row.seeds), "|", color=COLOURS[row.holds])
        axes.plot(row.value, place, "o", color=COLOURS[row.holds])
    axes.set_yticks(range(len(rows)), [f"{row.what}   {row.bar}" for row in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("symlog", linthresh=0.01)
    axes.set_xlabel("mean, and every seed (green: within the bar; red: not; grey: there is none)")
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(title, fontsize=10)
    figure.tight_layout()
    return saved(figure, path)
