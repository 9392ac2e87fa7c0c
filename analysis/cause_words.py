"""What losses are due to, in rows for the terminal and the page."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.attribution import CAUSES, SHARES, WORLD
from analysis.passages import PageTable, columns
from analysis.tables import Run
from analysis.wording import NBSP, count, quantity
from sim.metrics import describe
from sim.problems import Problem, ScenarioError

EXPLAINED = "explained"
ATTRIBUTION, WORLDS = "attribution.csv", "worlds.csv"
LABELS = {each.name: each.label for each in CAUSES} | {WORLD: "the world alone"}
NOTE = (
    "Shapley values: the same {worlds} again with every set of causes taken away; each cause gets the mean "
    "of what it adds over all orders in which causes could come, with Student's 95 % interval."
)


def cause_rows(shares: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Each outcome that there was any of, and below it, indented, what of it each cause made.

    Parameters
    ----------
    shares : DataFrame
        As in `Attribution`.
    names : sequence of str
        Markets.

    Returns
    -------
    list of (str, str, str)
        Label, value and interval; both empty for an outcome, the interval also where there is none.
    """
    told = []
    for outcome, rows in shares.groupby("outcome", sort=False):
        if not (rows["value"].abs() > 0).any():
            continue
        metric = describe(str(outcome), names)
        told.append((f"{metric.label} {metric.subject}".strip(), "", ""))
        for row in rows.to_dict(orient="records"):
            between = ", ".join(quantity(row[end], metric.unit) for end in ("low", "high"))
            interval = "" if np.isnan(row["low"]) else f"[{between}]"
            label = f"{NBSP}{NBSP}{LABELS[str(row['cause'])]}"
            told.append((label, quantity(row["value"], metric.unit), interval))
    return told


def cause_table(run: Run) -> PageTable | None:
    """What `seawall explain` has found for a run and left in its folder; None where it has not.

    Raises
    ------
    ScenarioError
        When what lies there is no such table.
    """
    folder = run.folder / EXPLAINED
    if not all((folder / name).is_file() for name in (ATTRIBUTION, WORLDS)):
        return None
    shares, worlds = (pd.read_csv(folder / name) for name in (ATTRIBUTION, WORLDS))
    if list(shares.columns) != SHARES or not set(shares["cause"]) <= set(LABELS):
        rule = "the tables of seawall explain must be of this version; remove the folder and explain again"
        raise ScenarioError([Problem(str(folder / ATTRIBUTION), "", rule)])
    note = NOTE.format(worlds=count(len(worlds), "world"))
    heads = columns(("outcome and cause",), ("is due to it", "95 % interval"))
    return PageTable(heads, cause_rows(shares, run.names), "What it is due to", note)
