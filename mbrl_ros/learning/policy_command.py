"""`mbrl policy show FILE`: what is inside a policy, whether it is whole, and how fast it decides here."""

from __future__ import annotations

import argparse
from pathlib import Path

import onnxruntime
from rich.console import Console
from rich.table import Table

from mbrl_ros.content import content_hash
from mbrl_ros.learning.facts_table import facts_table
from mbrl_ros.policies.artefact import opset
from mbrl_ros.policies.card import PolicyCard, PolicyRefused
from mbrl_ros.policies.runner import about, prove, timed

SIDE_BY_SIDE = 3  # inputs in a row of their table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("show",), help="show: what is inside")
    parser.add_argument("file", type=Path, metavar="FILE", help="an .onnx of mbrl distill")


def run(args: argparse.Namespace) -> int:
    """1 where it does not answer its golden pair as it should."""
    if not args.file.is_file():
        raise FileNotFoundError(f"no policy at {args.file}: make one with `mbrl distill`")
    content = args.file.read_bytes()
    session, card = about(content)
    try:
        prove(content, session, card)
    except PolicyRefused as refusal:
        golden, took = f"WRONG: {refusal}", "not timed"
    else:
        p50, p99 = timed(session, card)
        golden, took = "right", f"{p50:.1f} us at p50, {p99:.1f} us at p99"
    rows = {
        "robot": f"{card.robot}, layout {card.layout}",
        "task, action map": f"{card.task}, {card.action_map}, made of {card.map_hash}",
        "version": f"{card.version}, distilled from model {card.model_version} ({card.model_hash})",
        "file": f"{content_hash(content)}, {len(content) / 1e3:.0f} kB, ONNX opset {opset(content)}",
        "inputs": f"{len(card.seen)}",
        "decisions": f"{len(card.golden_decisions)}",
        "golden input": f"worth {card.golden_value:.1f}, further steps counted {card.discount:g} times the one before",
        "a decision here": f"{took}, onnxruntime {onnxruntime.__version__}",
    }
    console = Console(highlight=False, markup=False)
    for shown in (facts_table(str(args.file), rows), _joints(card), _inputs(card), f"golden pair: {golden}"):
        console.print(shown)
    return int(golden != "right")


def _joints(card: PolicyCard) -> Table:
    table = Table(title="joints", title_justify="left")
    for column in ("joint", "low", "high", "kp", "kv"):
        table.add_column(column)
    for row in zip(card.joints, card.low, card.high, card.kp, card.kv, strict=False):
        table.add_row(*map(str, row))
    return table


def _inputs(card: PolicyCard) -> Table:
    """A name and its range, several in a row."""
    table = Table(title="inputs, and their range where it was distilled", title_justify="left")
    for _ in range(SIDE_BY_SIDE):
        table.add_column("input")
        table.add_column("from .. to", no_wrap=True)
    ranges = zip(card.seen, card.lowest, card.highest, strict=True)
    cells = [cell for name, low, high in ranges for cell in (name, f"{low:.2f} .. {high:.2f}")]
    width = 2 * SIDE_BY_SIDE
    for first in range(0, len(cells), width):
        table.add_row(*cells[first : first + width])
    return table
