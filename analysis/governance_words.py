"""What became of proposals, in words and as a table."""

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from analysis.passages import PageTable, Passage
from analysis.tables import Run
from analysis.wording import count, duration, joined, percent

ENDS = ("executed", "defeated", "rejected", "expired", "cancelled")
OPEN = "open"
ROWS = 25
COLUMNS = (
    ("no.", "number"),
    *((name, "") for name in ("proposed", "route")),
    *((name, "text") for name in ("does", "became")),
    ("after", ""),
    *((name, "number") for name in ("for", "against")),
)


def became(proposals: pd.DataFrame) -> pd.Series:
    """Final state of each proposal, or that it is still open."""
    return proposals["state"].where(proposals["state"].isin(ENDS), OPEN)


def outcomes(run: Run) -> str:
    """How many proposals there were, what became of them, and how long the executed ones took."""
    rows = run.more["proposals"]
    told = joined([f"{count(number)} {name}" for name, number in Counter(became(rows)).most_common()])
    done = rows[rows["state"] == "executed"]
    text = f"Of {count(len(rows), 'proposal')}: {told}"
    if len(done):
        delay = (done["ended"] - done["published"]).dt.total_seconds().mean()
        text += f"; those executed took {duration(delay)} on average"
    return text


def governance_words(run: Run) -> Passage:
    """What the report says of governance: a sentence, the proposals that mattered, what the guardian did."""
    rows = run.more["proposals"]
    text = f"Proposals took the route {joined(list(dict.fromkeys(rows['route'])))}. {outcomes(run)}."
    if not rows["turnout"].isna().all():
        text += f" In votes, {percent(rows['turnout'].mean())} of delegated power took part on average."
    shown = rows[rows["state"] != "cancelled"] if len(rows) > ROWS else rows
    if len(shown) > ROWS:
        text += f" The table has the last {ROWS} that were not cancelled."
    acts = _acts(run.more["governance"])
    table = PageTable(COLUMNS, [_row(row) for row in shown.tail(ROWS).to_dict("records")])
    return Passage(text, (table,), f"The guardian: {acts}." if acts else "")


def _row(row: Mapping[Hashable, Any]) -> tuple[str, ...]:
    created, ended = pd.Timestamp(str(row["created"])), pd.Timestamp(str(row["ended"]))
    voted = pd.notna(row["turnout"])
    return (
        str(row["number"]),
        f"{created:%-d %b %H:%M}",
        str(row["route"]),
        str(row["changes"]),
        ": ".join(str(row[name]) for name in ("state", "reason") if row[name]),
        "" if pd.isna(ended) else duration((ended - created).total_seconds()),
        count(float(str(row["votes_for"]))) if voted else "",
        count(float(str(row["votes_against"]))) if voted else "",
    )


def _acts(events: pd.DataFrame) -> str:
    """Vetoes and pauses with their times."""
    rows = events[events["proposal"] < 0]
    return joined(
        [
            f"{event} of {about} on {time:%-d %b %H:%M} ({reason})"
            for time, event, about, reason in zip(
                rows["time"], rows["event"], rows["about"], rows["reason"], strict=True
            )
        ]
    )
