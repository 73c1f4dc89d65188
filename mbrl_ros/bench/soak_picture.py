"""The picture of `mbrl bench soak`: memory of each process over robot time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from mbrl_ros.bench.soak import Sample  # noqa: E402
from mbrl_ros.control.picture import saved  # noqa: E402


def plot_soak(samples: Sequence[Sample], path: Path, title: str) -> Path:
    figure, axes = plt.subplots(figsize=(7, 4), constrained_layout=True)
    for process in dict.fromkeys(sample.process for sample in samples):
        own = [sample for sample in samples if sample.process == process]
        axes.plot([s.robot_seconds / 60 for s in own], [s.rss_mb for s in own], label=process)
    axes.set(xlabel="robot time, min", ylabel="resident memory, MB", title=title)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    if samples:
        figure.legend(frameon=False, loc="outside right upper")
    return saved(figure, path)
