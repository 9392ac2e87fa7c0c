"""How a metric is declared: one function, whose docstring is the definition printed in reports."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

Scope = Literal["venue", "market", "role", "attacker"]
Worse = Literal["higher", "lower", ""]
Section = Literal[
    "Prices",
    "Open interest",
    "Capital efficiency",
    "Liquidations",
    "Who paid",
    "Venue health",
    "Risk engine",
    "Governance",
    "Profit and loss",
]


@dataclass(frozen=True)
class Metric:
    """What a number of `summary.json` means.

    Parameters
    ----------
    name : str
        Key in the summary; holds `{market}`, `{role}` or `{attacker}` where there is one number for each.
    label : str
        Short name for tables.
    unit : str
        "USD", "1" (a share or ratio), "x" (leverage), "s", "1/day", "1/8h", "gwei", or what is counted.
    definition : str
        One sentence.
    section : str
        Heading under which tables print it.
    scope : {"venue", "market", "role", "attacker"}
        Whether there is one number, or one for each market or role.
    subject : str
        The market or role that a single number of the summary is about; empty for the venue.
    worse : {"higher", "lower", ""}
        Which way is worse for the venue and its users; empty where neither is.
    """

    name: str
    label: str
    unit: str
    definition: str
    section: Section
    scope: Scope = "venue"
    subject: str = ""
    worse: Worse = ""


@dataclass(frozen=True)
class RunTables:
    """The tables of one run that metrics read, with its markets and resolution.

    Parameters
    ----------
    blocks, markets, liquidations, deleverages, waterfall, agents : DataFrame
        As a run's folder holds them; money in USD, sizes in base units.
    names : sequence of str
        Markets, in the order of the scenario.
    block_seconds : int
        Length of a block [s].
    more : mapping of str to DataFrame
        Every table of the run by name, also those that only some runs have.
    """

    blocks: pd.DataFrame
    markets: pd.DataFrame
    liquidations: pd.DataFrame
    deleverages: pd.DataFrame
    waterfall: pd.DataFrame
    agents: pd.DataFrame
    names: Sequence[str]
    block_seconds: int
    more: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @classmethod
    def of(
        cls, tables: Mapping[str, pd.DataFrame], markets: Sequence[str], block_seconds: int
    ) -> "RunTables":
        """Pick the tables that metrics read; a missing one is an error."""
        wanted = ("blocks", "markets", "liquidations", "deleverages", "waterfall", "agents")
        missing = [name for name in wanted if name not in tables]
        if missing:
            raise KeyError(f"a run must have the tables {', '.join(wanted)}, missing {', '.join(missing)}")
        frames = {name: tables[name] for name in wanted}
        return cls(**frames, names=tuple(markets), block_seconds=block_seconds, more=tables)

    def market(self, name: str) -> pd.DataFrame:
        """Rows of one market in the order of time."""
        return self.markets[self.markets["market"] == name].sort_values("block")

    @property
    def days(self) -> float:
        """Length of the run [days]."""
        return len(self.blocks) * self.block_seconds / 86400


VenueMetric = Callable[[RunTables], float | None]
MarketMetric = Callable[[pd.DataFrame, RunTables], float | None]

VENUE_METRICS: list[tuple[Metric, VenueMetric]] = []
MARKET_METRICS: list[tuple[Metric, MarketMetric]] = []


def _definition(function: Callable[..., object]) -> str:
    return " ".join((inspect.getdoc(function) or "").split())


def venue_metric(
    label: str, unit: str, section: Section, worse: Worse = ""
) -> Callable[[VenueMetric], VenueMetric]:
    """Declare a metric of which a run has one; the function's name becomes its key."""

    def declare(function: VenueMetric) -> VenueMetric:
        metric = Metric(function.__name__, label, unit, _definition(function), section, worse=worse)
        VENUE_METRICS.append((metric, function))
        return function

    return declare


def market_metric(
    label: str, unit: str, section: Section, worse: Worse = ""
) -> Callable[[MarketMetric], MarketMetric]:
    """Declare a metric of which each market has one; its key is the function's name and the market."""

    def declare(function: MarketMetric) -> MarketMetric:
        name = f"{function.__name__}_{{market}}"
        metric = Metric(name, label, unit, _definition(function), section, "market", worse=worse)
        MARKET_METRICS.append((metric, function))
        return function

    return declare
