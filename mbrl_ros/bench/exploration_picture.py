"""The picture of `mbrl bench exploration`: error on states of the task, by seconds of data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from mbrl_ros.bench.experiments import CURVE, Figure  # noqa: E402
from mbrl_ros.control.picture import saved  # noqa: E402


def plot_exploration(figures: Mapping[str, Figure], path: Path) -> bool:
    """False where there is nothing to draw. Mean over seeds; the band is from the lowest to the highest."""
    panels: dict[tuple[str, str], dict[str, list[tuple[float, Figure]]]] = defaultdict(lambda: defaultdict(list))
    for name, figure in figures.items():
        if name.startswith(CURVE):
            what, task, way, second = name.removeprefix(CURVE).split(", ")
            panels[what, task][way].append((float(second.removesuffix(" s")), figure))
    if not panels:
        return False
    rows = list(dict.fromkeys(what for what, _ in panels))
    columns = list(dict.fromkeys(task for _, task in panels))
    shape = {"figsize": (4.2 * len(columns), 3.4 * len(rows)), "squeeze": False}
    figure, axes = plt.subplots(len(rows), len(columns), **shape)
    for (what, task), ways in panels.items():
        panel = axes[rows.index(what), columns.index(task)]
        for way, points in ways.items():
            seconds = [second for second, _ in points]
            (line,) = panel.plot(seconds, [row.value for _, row in points], label=way)
            low, high = [row.lowest for _, row in points], [row.highest for _, row in points]
            panel.fill_between(seconds, low, high, color=line.get_color(), alpha=0.15)
        panel.set_title(f"{what}: {task}", fontsize=10)
        panel.set_xlabel("s of data")
        panel.set_ylabel("error over 10 steps, scales")
        panel.set_yscale("log")
        panel.legend(fontsize=8)
        panel.grid(alpha=0.3)
    figure.tight_layout()
    saved(figure, path, dpi=110)
    return True
