"""A comparison in the terminal."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from analysis.comparisons.comparison import Comparison
from analysis.comparisons.findings import LISTED, measured
from analysis.comparisons.gates import FAIL, PASS
from analysis.comparisons.intervals import Drawing
from analysis.comparisons.rows import NO_DIFFERENCE
from analysis.comparisons.words import Row, chance, horizon, interval, number, rejected, signed
from analysis.wording import NBSP, count, joined, percent, quantity

STYLES = {"better": "green", "worse": "red", PASS: "green", FAIL: "red"}


def comparison_table(comparison: Comparison) -> Table:
    """Every metric in which some policy differs, each statistic beginning with the baseline; 100 columns."""
    drawing = comparison.drawing
    seeds = count(len(comparison.contrasts[0].seeds), "seed")
    title = f"against {comparison.baseline}, {seeds} of {horizon(comparison.manifest['seconds'])}"
    table = Table(
        title=title.replace(NBSP, " "), title_justify="left", box=SIMPLE_HEAD, collapse_padding=True
    )
    table.add_column("", overflow="fold", max_width=24)
    table.add_column("policy", overflow="fold")
    for name in ("value", "difference", f"{percent(drawing.level)} interval", "p"):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("verdict")
    shown = comparison.frame["alternative"].isin(comparison.foremost)
    differing = comparison.frame.groupby("metric")["tested"].transform("any")
    for label, rows in comparison.frame[shown & differing].groupby("label", sort=False):
        table.add_section()
        table.add_row(Text(str(label), style="bold"))
        for _, of_statistic in rows.groupby("statistic", sort=False):
            for cells in _rows(of_statistic.to_dict("records"), drawing):
                table.add_row(*cells)
    return table


def _rows(rows: Sequence[Row], drawing: Drawing) -> Iterator[list[Text]]:
    """One statistic: the baseline's value, then each alternative's with its difference."""
    unit = str(rows[0]["unit"])
    statistic = str(rows[0]["statistic_label"]).removeprefix("share of runs ")
    yield _texts(
        f"  {statistic}", str(rows[0]["baseline"]), quantity(number(rows[0], "baseline_estimate"), unit)
    )
    for row in rows:
        verdict = str(row["verdict"])
        texts = _texts(
            "  !" if row["warning"] else "",
            str(row["alternative"]),
            quantity(number(row, "alternative_estimate"), unit),
            signed(number(row, "difference"), unit),
            interval(row, unit, rejected(row, drawing)) if row["tested"] else "",
            chance(number(row, "p_holm")),
        )
        word = "–" if verdict == NO_DIFFERENCE else verdict
        yield [*texts, Text(word, style=STYLES.get(verdict, ""))]


def _texts(*cells: str) -> list[Text]:
    return [Text(cell.replace(NBSP, " ")) for cell in cells]


def gate_table(comparison: Comparison) -> Table:
    """Which gates each policy passes."""
    table = Table(title="gates", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1))
    for name in ("gate", "policy"):
        table.add_column(name, overflow="fold")
    table.add_column("estimate", justify="right", overflow="fold")
    table.add_column("outcome")
    for row in comparison.gates.to_dict("records"):
        estimate = quantity(float(row["estimate"]), str(row["unit"]))
        outcome = Text(str(row["outcome"]), style=STYLES.get(str(row["outcome"]), ""))
        table.add_row(Text(str(row["gate"])), Text(str(row["alternative"])), Text(estimate), outcome)
    return table


def warning_lines(comparison: Comparison) -> list[str]:
    """What the rows marked with ! warn of, each warning once."""
    rows = comparison.frame[comparison.frame["warning"] != ""].to_dict("records")
    about: dict[str, list[str]] = {}
    for row in rows:
        for warning in str(row["warning"]).split("; "):
            about.setdefault(warning, []).append(f"{measured(row)} of {row['alternative']}")
    lines = [f"! {warning}: {_listed(names)}" for warning, names in about.items()]
    return [line.replace(NBSP, " ") for line in lines]


def _listed(names: Sequence[str]) -> str:
    more = [f"{len(names) - LISTED} more rows"] if len(names) > LISTED else []
    return joined([*names[:LISTED], *more])
