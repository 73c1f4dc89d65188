"""The picture and the table of `mbrl bench policy`: cost against the time of a decision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter  # noqa: E402
from rich.box import SIMPLE_HEAD  # noqa: E402
from rich.table import Table  # noqa: E402

from mbrl_ros.bench.deployment import DeploymentRow  # noqa: E402
from mbrl_ros.control.picture import saved  # noqa: E402

COLUMNS = (
    "H",
    "cost",
    "of the first",
    "velocity error",
    "worst",
    "falls",
    "ms p50",
    "p99",
    "of the first",
    "plan",
    "of the first",
)


def deployment_table(title: str, rows: Sequence[DeploymentRow]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("")
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.name,
            "-" if row.horizon is None else str(row.horizon),
            f"{row.cost:.3f} ({row.cost_low:.3f} .. {row.cost_high:.3f})",
            f"{row.cost_ratio:.2f}",
            f"{row.velocity_error:.3f}",
            f"{row.worst_velocity_error:.3f}",
            str(row.falls),
            f"{row.decision_ms:.2f}",
            f"{row.decision_p99_ms:.2f}",
            f"{row.time_ratio:.2f} ({row.time_ratio_low:.2f} .. {row.time_ratio_high:.2f})",
            "-" if row.plan_ms is None else f"{row.plan_ms:.2f}",
            "-" if row.plan_ratio is None else f"{row.plan_ratio:.2f}",
        )
    return table


def plot_deployment(rows: Sequence[DeploymentRow], path: Path, title: str) -> Path:
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for row in rows:
        spread = [[row.cost - row.cost_low], [row.cost_high - row.cost]]
        axes.errorbar([row.decision_ms], [row.cost], yerr=spread, fmt="o", capsize=3, label=row.name)
    axes.set(xscale="log", xlabel="ms a decision, p50", ylabel="cost a step (line: least to most of the seeds)")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    axes.set_title(title, fontsize=10)
    figure.tight_layout()
    return saved(figure, path)
