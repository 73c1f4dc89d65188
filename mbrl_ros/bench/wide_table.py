"""A table in the terminal that is never cut."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

UNLIMITED = 1000  # columns


def print_whole(console: Console, table: Table) -> None:
    """Rather a wrapped line than a cut number."""
    wanted = Console(width=UNLIMITED).measure(table).maximum
    Console(highlight=False, width=max(console.width, wanted)).print(table)
