"""Attacks in tables: on the terminal, as Markdown, and as files."""

import json
from math import isnan
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from analysis.attacks.trials import Trials
from analysis.comparisons import markdown
from analysis.wording import duration

HEAD = ("attack", "arm", "success", "cost", "profit", "best seed", "loss", "noticed after")


def attack_tables(found: Trials) -> list[Table]:
    """A table for each attack, with a row for each arm."""
    tables = []
    for attack, rows in found.summary.groupby("attack", sort=False):
        table = Table(
            title=str(attack), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False
        )
        for index, name in enumerate(HEAD[1:]):
            table.add_column(name, justify="right" if index else "left", no_wrap=0 < index < 6)
        for cells in lines(rows):
            table.add_row(*cells[1:])
        tables.append(table)
    return tables


def lines(summary: pd.DataFrame) -> list[tuple[str, ...]]:
    """The cells of each row."""
    told: list[tuple[str, ...]] = []
    for row in summary.to_dict("records"):
        share, low, high = (100 * row[name] for name in ("success", "success_low", "success_high"))
        half = row["profit_high"] - row["profit"]
        told.append(
            (
                str(row["attack"]),
                str(row["arm"]),
                f"{share:.0f} % ({low:.0f}–{high:.0f})",
                money(row["cost"]),
                money(row["profit"]) + ("" if isnan(half) else f" ±{money(half)}"),
                money(row["profit_most"]),
                money(row["loss"]),
                "" if isnan(row["detection"]) else f"{duration(row['detection'])} ({row['noticed']:.0%})",
            )
        )
    return told


def money(usd: float) -> str:
    """USD in thousands or millions, of three figures."""
    if isnan(usd):
        return ""
    size, sign = abs(usd), "−" if usd <= -0.5 else ""
    if size >= 999_500:
        return f"{sign}{size / 1e6:,.{2 if size < 1e7 else 1}f} M"
    return f"{sign}{size / 1e3:,.1f} k" if size >= 999.5 else f"{sign}{size:.0f}"


def verdicts(found: Trials) -> list[str]:
    """A sentence on each swept guard."""
    return [
        f"{attack}: no longer pays from {strength} on"
        if strength
        else f"{attack}: pays at every strength that was tried"
        for attack, strength in found.least.items()
    ]


def write_attacks(found: Trials, folder: Path) -> None:
    """Write `attacks.parquet`, `attacks.json` and `attacks.md` into a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    found.rows.to_parquet(folder / "attacks.parquet", index=False)
    summary = found.summary.astype(object).where(found.summary.notna(), None).to_dict("records")
    told = {"summary": summary, "least": dict(found.least), "failures": list(found.failures)}
    (folder / "attacks.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    text = [*markdown.table(HEAD, lines(found.summary), left=2), "", *verdicts(found)]
    (folder / "attacks.md").write_text("\n".join(text) + "\n", encoding="utf-8")
