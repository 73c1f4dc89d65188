"""How every picture gets to disk."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402


def saved(figure: Figure, path: Path, dpi: int = 120, **options) -> Path:
    """With its folder, and closed. `options` as savefig takes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi, **options)
    plt.close(figure)
    return path
