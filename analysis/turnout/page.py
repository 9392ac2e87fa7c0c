"""A comparison of electorates for people: a table for the terminal, and the files that hold it."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from analysis.validation.validation import Validation
from analysis.wording import short

MEANINGS = {
    "turnout_mean": "turnout, mean (share of delegated tokens)",
    "turnout_max": "turnout, highest",
    "half_mean": "voters for half of the votes, mean",
    "half_median": "voters for half of the votes, median",
    "top10": "power of the ten strongest (share)",
    "top50": "power of the fifty strongest",
    "voters_median": "voters on a proposal, median",
    "executed": "executed (share of proposals)",
    "defeated": "defeated",
    "cancelled": "cancelled",
    "quorumless": "defeats for lack of a quorum (share)",
    "approval": "votes in favour, mean (share)",
    "vote_delay": "delay of a vote (days)",
    "quorum_delay": "delay of the quorum (days)",
    "life": "from proposal to execution (days)",
}


def turnout_table(found: Validation) -> Table:
    """Every fact with its part, its real value, and the electorates' median and central 95 %."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("statistic", no_wrap=True)
    table.add_column("part", no_wrap=True)
    for name in ("real", "median", "2.5 %", "97.5 %"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("inside", no_wrap=True)
    for row in found.scores.to_dict("records"):
        numbers = [short(row[name]) for name in ("real", "median", "low", "high")]
        inside, style = ("yes", "") if row["inside"] else ("NO", "bold")
        table.add_row(MEANINGS[row["statistic"]], row["family"], *numbers, inside, style=style)
    return table


def turnout_verdict(found: Validation) -> str:
    """How many facts lie inside, of all and of each part."""
    parts = [
        f"{part} {int(group['inside'].sum())} of {len(group)}"
        for part, group in found.scores.groupby("family", sort=False)
    ]
    inside = int(found.scores["inside"].sum())
    where = f"lie in the central 95 % of {len(found.replicas)} electorates"
    return f"{inside} of {len(found.scores)} facts {where}: {', '.join(parts)}"


def write_turnout(found: Validation, folder: Path) -> None:
    """Write `scores.csv` and `electorates.parquet` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    found.scores.to_csv(folder / "scores.csv", index=False, lineterminator="\n")
    found.replicas.to_parquet(folder / "electorates.parquet", index=False)
