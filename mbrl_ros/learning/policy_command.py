"""`mbrl policy show FILE`: what is inside a policy, and how fast it decides here."""

from __future__ import annotations

import argparse
from pathlib import Path

import onnxruntime
from rich.console import Console
from rich.table import Table

from mbrl_ros.policies.runner import about, timed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("show",), help="show: what is inside")
    parser.add_argument("file", type=Path, metavar="FILE", help="an .onnx of mbrl distill")


def run(args: argparse.Namespace) -> int:
    if not args.file.is_file():
        raise FileNotFoundError(f"no policy at {args.file}: make one with `mbrl distill`")
    session, card = about(args.file.read_bytes())
    p50, p99 = timed(session, card)
    table = Table(title=str(args.file), title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    rows = {
        "robot": f"{card.robot}, layout {card.layout}",
        "task, action map": f"{card.task}, {card.action_map}",
        "version": f"{card.version}, distilled from model {card.model_version} ({card.model_hash})",
        "inputs": f"{len(card.seen)}: {', '.join(card.seen)}",
        "decisions": f"{len(card.golden_decisions)}",
        "golden input": f"worth {card.golden_value:.1f}, further steps counted {card.discount:g} times the one before",
        "size": f"{args.file.stat().st_size / 1e3:.0f} kB",
        "a decision here": f"{p50:.1f} us at p50, {p99:.1f} us at p99, onnxruntime {onnxruntime.__version__}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    joints = Table(title="joints", title_justify="left")
    for column in ("joint", "low", "high", "kp", "kv"):
        joints.add_column(column)
    for row in zip(card.joints, card.low, card.high, card.kp, card.kv, strict=True):
        joints.add_row(*map(str, row))
    console = Console(highlight=False)
    console.print(table)
    console.print(joints)
    return 0
