"""The presets in tables, for the terminal."""

import pandas as pd
from rich.table import Table
from rich.text import Text

from sim.presets import governance_names, preset_description, preset_names, preset_parameters


def presets_table() -> Table:
    """One row for each preset of a venue."""
    return _listed("venue", preset_names())


def governance_table() -> Table:
    """One row for each form of governance."""
    return _listed("governance", governance_names())


def _listed(what: str, names: list[str]) -> Table:
    table = Table(what, "what it is", "given", "assumed", box=None, padding=(0, 1))
    for name in names:
        given = preset_parameters(name).query("given")
        assumed = (given["evidence"] == "assumed").sum()
        table.add_row(Text(name), Text(preset_description(name)), str(len(given)), str(assumed))
    return table


def preset_table(name: str, everything: bool = False) -> Table:
    """Every parameter that a preset gives, or with `everything` the defaults too, each with its source."""
    rows = preset_parameters(name)
    rows = rows if everything else rows[rows["given"]]
    heading = rows["path"].map(_section)
    table = Table(box=None, padding=(0, 1), title=f"{name}: {preset_description(name)}", title_justify="left")
    for column, wrap in (
        ("parameter", False),
        ("value", False),
        ("unit", True),
        ("evidence", True),
        ("source", True),
    ):
        table.add_column(column, no_wrap=not wrap, overflow="fold")
    for section, group in rows.groupby(heading, sort=False):
        if section:
            table.add_row(Text(str(section), style="bold"))
        for path, value, unit, evidence, source, given in group.itertuples(index=False, name=None):
            label = "  " + path.removeprefix(f"{section}.")
            told = (label, _value(value), unit, evidence if given else f"default, {evidence}", source)
            table.add_row(*map(Text, told))
    return table


def _section(path: str) -> str:
    """Heading under which a parameter stands: its market, its section, or none."""
    parts = path.split(".")
    return ".".join(parts[:2]) if parts[0] == "markets" else parts[0] if len(parts) > 1 else "general"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and not pd.isna(value):
        return f"{value:,.12g}"
    return str(value)
