"""The ladder in the terminal, and the same as Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from mbrl_ros.bench.ladder_rows import IS_BASE, LOSES, PAYS, Row

COLUMNS = (
    "task", "rung", "planner", "model", "treatment", "return", "95%", "lowest .. highest", "over the base, 95%", "",
    "at goal", "outside", "falls", "while learning", "robot s", "fit s", "ms",
)  # fmt: skip
NOT_HERE = "not here"
TOO_LONG = " > a step"  # what decides takes longer than there is time for: judged as if it did not
MARKS = {PAYS: "▲", LOSES: "▼", IS_BASE: "◆"}


def table(rows: Sequence[Row], title: str) -> Table:
    shown = Table(title=title, title_justify="left")
    for column in COLUMNS:
        shown.add_column(column, justify="left" if column in COLUMNS[:5] else "right", no_wrap=True)
    for at, row in enumerate(rows):
        shown.add_row(*line(row), end_section=at + 1 == len(rows) or rows[at + 1].task != row.task)
    return shown


def excuses(rows: Sequence[Row]) -> list[str]:
    """Why rungs were not climbed, a line a reason."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        if row.excuse:
            found.setdefault(row.excuse, {}).setdefault(f"{row.axis} {row.name}", []).append(row.task)
    return [
        "; ".join(f"{rung} ({', '.join(tasks)})" for rung, tasks in rungs.items()) + f": {why}"
        for why, rungs in found.items()
    ]


def markdown(rows: Sequence[Row]) -> str:
    """What pays where, where there are several tasks; then a table a task, without what its rungs share."""
    columns = [column for column in COLUMNS if column not in (*COLUMNS[:1], *COLUMNS[2:5], "robot s")]
    parts = [overview(rows)] if len({row.task for row in rows}) > 1 else []
    for task in dict.fromkeys(row.task for row in rows):
        climbed = [dict(zip(COLUMNS, line(row), strict=True)) for row in rows if row.task == task and row.seeds]
        if climbed:
            cells = [columns, ["---"] * len(columns), *([words[column] for column in columns] for words in climbed)]
            lines = "\n".join(f"| {' | '.join(each)} |" for each in cells)
            parts.append(f"**{task}**\n\n{lines}\n")
    return "\n".join([*parts, *(f"Not here: {each}.\n" for each in excuses(rows))])


def overview(rows: Sequence[Row]) -> str:
    """A line a rung, a column a task: its mean return, and what can be told of that against the base."""
    tasks = list(dict.fromkeys(row.task for row in rows))
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        mean = f"{row.mean:.4g} {MARKS.get(row.verdict, '')}".strip() if row.seeds else ""
        found.setdefault(f"{row.axis} {row.name}", {})[row.task] = mean
    cells = [["return", *tasks], ["---"] * (1 + len(tasks))]
    cells += [[rung, *(means.get(task, "") for task in tasks)] for rung, means in found.items() if any(means.values())]
    lines = "\n".join(f"| {' | '.join(each)} |" for each in cells)
    return f"{lines}\n\n▲ pays, ▼ loses, against the base ◆; unmarked: these seeds cannot tell.\n"


def line(row: Row) -> list[str]:
    """As many words as there are columns; why a rung was not climbed, `excuses` say."""
    stood = f" ({row.unflown} of {row.seeds} without a model)" if row.unflown else ""
    stood += f" (no plan in {row.no_plans} steps)" if row.no_plans else ""
    twin = f" = {row.twin}" if row.twin and row.seeds else ""
    about = [row.task, f"{row.axis} {row.name}{twin}{stood}", row.planner, row.model, row.treatment]
    if row.excuse:
        return [*about, NOT_HERE, *[""] * (len(COLUMNS) - len(about) - 1)]
    gain = "" if row.gain is None else f"{row.gain:+.1f}"
    if row.gain_interval:
        gain += f" ({row.gain_interval[0]:+.1f} .. {row.gain_interval[1]:+.1f})"
    return [
        *about,
        f"{row.mean:.1f}",
        f"{row.interval[0]:.1f} .. {row.interval[1]:.1f}" if row.interval else "-",
        f"{row.lowest:.1f} .. {row.highest:.1f}",
        gain,
        row.verdict,
        _share(row.at_goal),
        _share(row.outside),
        f"{row.falls:.1f}",
        "-" if row.learning_falls is None else f"{row.learning_falls:.1f}",
        f"{row.robot_seconds:.0f}",
        "-" if row.fit_seconds is None else f"{row.fit_seconds:.1f}",
        f"{row.decision_ms:.1f}{TOO_LONG if row.decision_ms > row.step_ms else ''}",
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f}%"
