"""The picture of calibration in `mbrl bench uncertainty`: coverage by level, and what the numbers say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from mbrl_ros.bench.experiments import CURVE, Figure  # noqa: E402
from mbrl_ros.bench.uncertainty_reliability import KINDS, LEVELS, PLACES  # noqa: E402
from mbrl_ros.control.picture import saved  # noqa: E402


def plot_calibration(figures: Mapping[str, Figure], path: Path) -> bool:
    """False where there is nothing to draw. Mean over seeds; bands from the lowest to the highest."""
    names = [name for name in KINDS if f"reliability: AUROC of doubt, {name}" in figures]
    if not names:
        return False
    picture, axes = plt.subplots(1, 3, figsize=(13, 4))
    for panel, place in zip(axes, PLACES, strict=False):
        panel.plot([0, 1], [0, 1], color="0.6", linestyle=":")
        for name in names:
            rows = [figures[f"{CURVE}{name}, {place}, {level:.1f}"] for level in LEVELS]
            (line,) = panel.plot(LEVELS, [row.value for row in rows], marker=".", label=name)
            low, high = [row.lowest for row in rows], [row.highest for row in rows]
            panel.fill_between(LEVELS, low, high, color=line.get_color(), alpha=0.15)
        panel.set_title(place, fontsize=10)
        panel.set_xlabel("said: share of the truth within the interval")
        panel.set_ylabel("found")
        panel.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    axes[2].axis("off")
    cells = [
        [f"{figures[what].value:.2f}" for what in (
            f"reliability: AUROC of doubt, {name}",
            *(f"{what}, {place}, {name}" for what in ("sharpness, mean std said", "negative log likelihood")
              for place in PLACES),
        )] for name in names
    ]  # fmt: skip
    heads = ["AUROC", "std,\nseen", "std,\nunseen", "NLL,\nseen", "NLL,\nunseen"]
    table = axes[2].table(cells, rowLabels=names, colLabels=heads, loc="center")
    table.scale(1, 2)
    picture.tight_layout()
    saved(picture, path, dpi=110)
    return True
