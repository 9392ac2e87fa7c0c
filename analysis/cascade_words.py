"""Cascades in words and rows, for the terminal and the page."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.cascades import TRACED, Anatomy, anatomy, traceable
from analysis.cause_words import cause_table
from analysis.critical_accounts import suspects
from analysis.passages import PageTable, Passage, columns
from analysis.tables import Run
from analysis.waves import reproduction, waves
from analysis.wording import NBSP, count, duration, noun, percent, usd

CASCADE_COLUMNS = ("falls", "volume", "pushed", "R0", "most", "deep", "ADL", "bad debt", "cut")
SHOWN = 8
ACCOUNTS = 5
CASCADES_NOTE = (
    "Falls none of which comes more than ten minutes after the one before are one cascade. Volume: what"
    " was liquidated of them; pushed: the share of it that earlier liquidations caused. R0: what each "
    "dollar liquidated by the world led to at once; most: the largest such ratio of two generations; "
    "deep: the last generation with a hundredth of the volume. ADL: when the first winner was "
    "deleveraged, after the cascade's begin. Cut: blocks that ended at their limit with accounts still "
    "to be liquidated."
)
TOO_MANY = (
    f"{{}} an account fell below maintenance: more than the {TRACED:,} that are traced one by one. "
    "The same scenario with fewer accounts shows who pushed whom."
)
ACCOUNTS_NOTE = (
    "By what was liquidated of them and, by shares, of all that they pushed. The command seawall "
    "explain runs the same world without each of them, and splits losses by their causes."
)


def cascade_words(run: Run) -> Passage:
    """What the page says of a run's cascades, and of the accounts with the most influence."""
    if not traceable(run):
        return Passage(TOO_MANY.format(count(len(run.more["failures"]), "time")), ())
    found = anatomy(run)
    cascades = waves(run, found=found)
    shown = f"The {SHOWN} largest of {len(cascades)}. " if len(cascades) > SHOWN else ""
    heads = columns(("cascade",), CASCADE_COLUMNS)
    accounts = [
        (
            str(row["account"]),
            noun(str(row["role"])),
            usd(row["liquidated_usd"]),
            usd(row["influence_usd"]),
        )
        for row in suspects(found, ACCOUNTS).to_dict(orient="records")
    ]
    causes = cause_table(run)
    return Passage(
        cascade_sentence(found, len(cascades)),
        (
            *([causes] if causes else []),
            PageTable(heads, cascade_rows(cascades), "Cascades", shown + CASCADES_NOTE),
            PageTable(
                columns(("account", "role"), ("its own", "with those it pushed")),
                accounts,
                "Accounts that mattered most",
                ACCOUNTS_NOTE,
            ),
        ),
    )


def cascade_rows(cascades: pd.DataFrame) -> list[Sequence[str]]:
    """The largest cascades in the order of time: when, and a cell for each of CASCADE_COLUMNS."""
    if cascades.empty:
        return []
    largest = cascades.nlargest(SHOWN, "liquidated_usd").sort_values("begin")
    return [
        (
            f"{row['begin']:%-d %b %H:%M}–{row['end']:%H:%M}".replace(" ", NBSP),
            f"{row['failures']:,}",
            usd(row["liquidated_usd"]),
            _known(row["endogenous"], "{:.0%}"),
            *(_known(row[name], "{:.2f}") for name in ("first_generation", "largest_reproduction")),
            str(row["deepest"]),
            "–" if np.isnan(row["first_deleverage"]) else duration(row["first_deleverage"]),
            usd(row["bad_debt_usd"]),
            str(row["truncated"] or "–"),
        )
        for row in largest.to_dict(orient="records")
    ]


def _known(value: float, form: str) -> str:
    return form.format(value) if np.isfinite(value) else "–"


def cascade_sentence(found: Anatomy, cascades: int) -> str:
    """How often accounts fell, and how much of it liquidations made."""
    failures = found.failures
    if not len(failures):
        return "No account fell below maintenance."
    ratios = reproduction(found.volume)
    led = len(ratios) and np.isfinite(ratios[0])
    first = f"; each dollar liquidated by the world led to {ratios[0]:.2f} more at once" if led else ""
    return (
        f"{count(len(failures), 'time')} an account fell below maintenance, in {count(cascades, 'cascade')}; "
        f"{percent(failures['endogenous'].mean())} would have stood without what liquidations had made of "
        f"prices{first}."
    )
