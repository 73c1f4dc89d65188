"""The table and the picture of `mbrl bench pushes`: who fell, pushed which way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from rich.box import SIMPLE_HEAD  # noqa: E402
from rich.table import Table  # noqa: E402

from mbrl_ros.bench.pushes import PushRow  # noqa: E402
from mbrl_ros.control.picture import saved  # noqa: E402

INNER = 1.5  # radius of the innermost ring, in rings


def pushes_table(title: str, rows: Sequence[PushRow]) -> Table:
    """A line a speed and mode; recovered: median of those that did."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("m/s", "mode", "falls", "by seed", "recovered", "after s"):
        table.add_column(column, justify="left" if column == "mode" else "right")
    for before, row in zip([None, *rows], rows, strict=False):
        if before and before.speed != row.speed:
            table.add_section()
        table.add_row(
            f"{row.speed:g}",
            row.mode,
            f"{row.falls} of {row.pushes}",
            " ".join(map(str, row.falls_by_seed)),
            f"{row.recovered} of {row.pushes}",
            "-" if row.recovered_s is None else f"{row.recovered_s:.2f}",
        )
    return table


def plot_pushes(rows: Sequence[PushRow], path: Path, title: str) -> Path:
    """A ring a mode; what stands at an angle was pushed that way, forwards is up."""
    speeds = list(dict.fromkeys(row.speed for row in rows))
    figure, places = plt.subplots(
        1,
        len(speeds),
        figsize=(5 * len(speeds), 6.2),
        subplot_kw={"projection": "polar"},
        squeeze=False,
        layout="constrained",
    )
    for axes, speed in zip(places[0], speeds, strict=True):
        here = [row for row in rows if row.speed == speed]
        for ring, row in enumerate(here):
            colour, radius = f"C{ring}", INNER + ring
            for fell, marker, size in ((False, "o", 12), (True, "x", 45)):
                angles = [o.direction for o in row.outcomes if (o.fell_after is not None) == fell]
                axes.scatter(angles, [radius] * len(angles), s=size, marker=marker, color=colour, alpha=0.8)
            axes.plot([], [], color=colour, label=f"{row.mode}: {row.falls} of {row.pushes} fell")
        axes.set_theta_zero_location("N")
        axes.set_ylim(0, INNER + len(here) - 0.5)
        axes.set_yticks([INNER + ring for ring in range(len(here))], [""] * len(here))
        axes.set_xticks([0.0, 1.5708, 3.1416, 4.7124], ["ahead", "left", "back", "right"])
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.08), title=f"{speed:g} m/s")
    figure.suptitle(f"{title}\nx fell, o stayed up; the first is the innermost ring", fontsize=10)
    return saved(figure, path, bbox_inches="tight")
