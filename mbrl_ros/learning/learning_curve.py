"""The picture of learning: held-out error, falls and judged errors against seconds of robot data."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from mbrl_ros.control.picture import saved  # noqa: E402


def plot_curves(curves, path: Path, title: str) -> Path:
    judged = "velocity_error" in curves[0].evaluations[-1]["summary"]
    figure, axes = plt.subplots(2 if judged else 1, 1, figsize=(7, 6 if judged else 3.5), sharex=True, squeeze=False)
    model, tracking = axes[0, 0], axes[-1, 0]
    for number, curve in enumerate(curves):
        colour = f"C{number}"
        model.plot(curve.seconds, curve.error, "-o", markersize=3, color=colour, label=f"seed {curve.seed}")
        for fall in curve.falls:
            model.axvline(fall, color=colour, linestyle=":", linewidth=1)
        if judged:
            at = [e["robot_seconds"] for e in curve.evaluations]
            for key, style in (("velocity_error", "-o"), ("yaw_rate_error", "--s")):
                values = [e["summary"][key] for e in curve.evaluations]
                tracking.plot(at, values, style, markersize=4, color=colour)
    model.set(ylabel="held-out error\n(20 steps open loop)", title=f"{title} (dotted: falls)")
    model.set_ylim(bottom=0)
    model.legend(fontsize=8)
    if judged:
        tracking.set(ylabel="m/s (solid), rad/s (dashed)")
        tracking.set_ylim(bottom=0)
    tracking.set_xlabel("robot time, s")
    figure.tight_layout()
    return saved(figure, path)
