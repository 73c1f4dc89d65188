"""What a file says about itself, in the terminal: a name and a value a row."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table


def facts_table(title: str, facts: Mapping[str, str]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for row in facts.items():
        table.add_row(*row)
    return table
