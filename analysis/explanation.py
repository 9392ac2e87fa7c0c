"""What happened in a run and what caused it: cascades, counterfactuals, and the accounts that mattered."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table

from analysis.attribution import (
    CAUSES,
    ENDOGENOUS,
    LEVEL,
    REPRODUCTION,
    WORLD,
    Attribution,
    amplification,
    applying,
    attribute,
)
from analysis.cascade_words import CASCADE_COLUMNS, cascade_rows, cascade_sentence
from analysis.cascades import TRACED, Anatomy, anatomy, traceable
from analysis.cause_words import LABELS, cause_rows
from analysis.critical_accounts import suspects, without_each
from analysis.listing import listing
from analysis.margins.measures import student_interval
from analysis.reductions import Report
from analysis.tables import Run, load_run
from analysis.waves import FEWEST, Floats, tail_fit, waves
from analysis.wording import count, joined, percent, usd
from sim.problems import Problem, ScenarioError, suggestion
from sim.rerun import recorded

CLEAR = 2.0
ACCOUNT_COLUMNS = ("role", "its own", "with those it pushed", "liquidated less", "bad debt less")


@dataclass(frozen=True)
class Explanation:
    """What happened in a run and what caused it.

    Attributes
    ----------
    run : Run
    anatomy : Anatomy
    cascades : DataFrame
        See `analysis.waves.waves`.
    attribution : Attribution
    accounts : DataFrame
        Accounts with the most influence, and what their absence saves.
    failures : tuple of str
        A line for each run that ended with an error.
    """

    run: Run
    anatomy: Anatomy
    cascades: pd.DataFrame
    attribution: Attribution
    accounts: pd.DataFrame
    failures: tuple[str, ...]


def explain(
    folder: str | Path,
    seeds: int = 4,
    causes: Sequence[str] = (),
    accounts: int = 5,
    workers: int | None = None,
    report: Report | None = None,
) -> Explanation:
    """Explain a finished run.

    Parameters
    ----------
    folder : str or Path
        Of the run.
    seeds : int
        Worlds for the counterfactuals: that of the run, and the next ones.
    causes : sequence of str
        Names of causes; all that the scenario has if none is given.
    accounts : int
        How many accounts' absence is tried out.
    workers, report
        As for `analysis.reductions.reduced`.

    Raises
    ------
    ScenarioError
        When no run of this version lies there, or a cause does not exist.
    """
    scenario, seed = recorded(folder)
    known = [each.name for each in CAUSES]
    unknown = [name for name in causes if name not in known]
    if unknown:
        rule = f"a cause is one of {', '.join(known)}{suggestion(unknown[0], known)}"
        raise ScenarioError([Problem("--cause", "", rule, unknown[0])])
    run = load_run(folder)
    if not traceable(run):
        rule = f"a run that is explained must have at most {TRACED:,} falls below maintenance"
        raise ScenarioError([Problem(str(folder), "", rule, f"{len(run.more['failures']):,}")])
    found = anatomy(run)
    shares = attribute(scenario, range(seed, seed + seeds), applying(scenario, causes), workers, report)
    first = suspects(found, accounts)
    removed, failures = without_each(scenario, seed, first["account"].tolist(), workers, report)
    table, failures = first.merge(removed, on="account"), (*shares.failures, *failures)
    return Explanation(run, found, waves(run, found=found), shares, table, failures)


def write_explanation(found: Explanation, folder: Path) -> None:
    """Write every table into a new folder: the causal graph, which may be long, as Parquet, others as CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = found.anatomy
    nodes = {"failures": graph.failures, "moves": graph.moves}
    for name, table in (nodes | {"pushes": graph.pushes, "falls": graph.falls}).items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    tables = {
        "cascades": found.cascades,
        "attribution": found.attribution.shares,
        "counterfactuals": found.attribution.rows,
        "accounts": found.accounts,
        "worlds": found.attribution.cascades,
        "sizes": pd.DataFrame({"liquidated_usd": found.attribution.sizes}),
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)


def explanation_tables(found: Explanation) -> list[Table]:
    """Cascades, causes and accounts, for the terminal."""
    return [_cascades(found), _causes(found), _accounts(found)]


def _cascades(found: Explanation) -> Table:
    table = listing("cascade", CASCADE_COLUMNS)
    for row in cascade_rows(found.cascades):
        table.add_row(*row)
    return table


def _causes(found: Explanation) -> Table:
    seeds = count(found.attribution.seeds, "seed")
    table = listing(f"what it is due to, {seeds}", ("is due to it", "95 % interval"))
    for label, value, interval in cause_rows(found.attribution.shares, found.run.names):
        table.add_row(label, value, interval.replace("[", "\\["), style="" if value else "bold")
    return table


def _accounts(found: Explanation) -> Table:
    table = listing("without account", ACCOUNT_COLUMNS)
    for row in found.accounts.to_dict(orient="records"):
        table.add_row(
            str(row["account"]),
            str(row["role"]),
            usd(row["liquidated_usd"]),
            usd(row["influence_usd"]),
            usd(row.get("saves_liquidated_usd", np.nan)),
            usd(row.get("saves_bad_debt_gross_usd", np.nan)),
        )
    return table


def sentences(found: Explanation) -> list[str]:
    """What the tables say."""
    return [
        cascade_sentence(found.anatomy, len(found.cascades)),
        *_of_worlds(found),
        *_of_impact(found),
        *_of_causes(found),
    ]


def _of_worlds(found: Explanation) -> list[str]:
    """How much liquidations caused over several worlds, and how the sizes of cascades are spread."""
    cascades, sizes = found.attribution.cascades, found.attribution.sizes
    share, low, high = student_interval(cascades[ENDOGENOUS].to_numpy(dtype=float), LEVEL)
    ratio, least, most = student_interval(cascades[REPRODUCTION].to_numpy(dtype=float), LEVEL)
    if not np.isfinite(low) or not np.isfinite(least):
        return []
    told = [
        f"Over {count(len(cascades), 'world')} liquidations caused {percent(share)} "
        f"[{percent(low)}, {percent(high)}] of what was liquidated, and R0 is {ratio:.2f} "
        f"[{least:.2f}, {most:.2f}]."
    ]
    return [*told, _of_sizes(sizes)] if (sizes > 0).sum() >= FEWEST else told


def _of_sizes(sizes: Floats) -> str:
    tail = tail_fit(sizes)
    sides = {-1: "a lognormal fits better", 0: "a lognormal fits as well", 1: "a lognormal fits worse"}
    against = sides[int(np.sign(tail.against_lognormal)) if abs(tail.against_lognormal) > CLEAR else 0]
    return (
        f"Of {(sizes > 0).sum():,} cascades the {tail.count} above {usd(tail.threshold)} follow a power law "
        f"of exponent {tail.exponent:.2f} [{tail.low:.2f}, {tail.high:.2f}]; {against}."
    )


def _of_impact(found: Explanation) -> list[str]:
    told = []
    for market in found.run.names:
        value, low, high = amplification(found.attribution, market)
        if np.isfinite(value):
            between = f" [{low:.2f}, {high:.2f}]" if np.isfinite(low) else ""
            told.append(f"{market} fell {value:.2f}{between} times as far")
    return [f"Outside, {joined(told)} as it would have if liquidations moved no price."] if told else []


def _of_causes(found: Explanation) -> list[str]:
    shares = found.attribution.shares
    losses = shares[shares["outcome"] == "bad_debt_gross_usd"]
    if losses.empty or losses["value"].sum() <= 0:
        return ["There was no bad debt to share out."]
    total = losses["value"].sum()
    parts = [
        f"{percent(row['value'] / total)} because {LABELS[str(row['cause'])]}"
        if row["cause"] != WORLD
        else f"{percent(row['value'] / total)} by the world alone"
        for _, row in losses.iterrows()
    ]
    return [f"Of {usd(total)} bad debt, {joined(parts)}."]
