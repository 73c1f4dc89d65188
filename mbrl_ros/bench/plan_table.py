"""The rows of `mbrl bench plan` in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mbrl_ros.bench.planning import PlanRow

SHAPE = ("N/H/M/width", "on")
OURS = ("p50", "p95", "p99", "max")
BESIDE = ("peer", "speedup", "rollout", "floor", "ratio", "by FLOP", "by bytes")


def plan_table(name: str, rows: Sequence[PlanRow]) -> Table:
    """One line a row; `ratio` is that of rollout and floor, what follows are its other floors."""
    title = f"mbrl bench plan, {name}; ms, p50 where not said; peer: pytorch_mppi at the same work"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in SHAPE:
        table.add_column(column, no_wrap=True)
    for column in (*OURS, *BESIDE):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            shape_of(row),
            device_of(row),
            *(f"{ms:.2f}" for ms in (row.ours_ms, row.ours_p95_ms, row.ours_p99_ms, row.ours_max_ms)),
            "-" if row.peer_ms is None else f"{row.peer_ms:.2f}",
            "-" if row.speedup is None else f"{row.speedup:.2f} ({row.speedup_low:.2f} .. {row.speedup_high:.2f})",
            f"{row.rollout_ms:.2f}",
            f"{row.floor_ms:.2f}",
            f"{row.rollout_over_floor:.2f}",
            f"{row.arithmetic_ms:.2f}",
            f"{row.bytes_ms:.2f}",
        )
    return table


def detail_table(row: PlanRow) -> Table:
    """Of one row: its parts, what its floors are made of, and what else was tried."""
    table = Table(title=f"{shape_of(row)}, {device_of(row)}; ms, p50", title_justify="left")
    table.add_column("")
    table.add_column("ms", justify="right")
    named = {
        **row.parts,
        f"rollout ({row.path})": row.rollout_ms,
        "whole plan": row.ours_ms,
    }
    floors = {
        f"floor: matmuls by {row.floor_matmul_by}": row.floor_matmul_ms,
        f"floor: activations by {row.floor_activation_by}": row.floor_activation_ms,
        "floor by arithmetic": row.arithmetic_ms,
        "floor by bytes": row.bytes_ms,
    }
    variants = {name.removesuffix("_ms").replace("_", " "): ms for name, ms in row.variants.items()}
    for group in (named, floors, variants):
        for name, ms in group.items():
            table.add_row(name, f"{ms:.2f}")
        table.add_section()
    return table


def shape_of(row: PlanRow) -> str:
    return f"{row.N}/{row.H}/{row.M}/{row.width}"


def device_of(row: PlanRow) -> str:
    return row.device if row.device != "cpu" else f"{row.threads} thread{'s' if row.threads > 1 else ''}"
