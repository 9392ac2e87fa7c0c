"""A run's folder as frames: the one place where analysis reads files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.sweeps.results import SweepResults, load_sweep

TABLES = ("blocks", "markets", "liquidations", "deleverages", "waterfall", "parameters", "agents")
PAPERS = ("proposals", "governance", "votes", "electorate", "delegation", "attacks")
PEOPLE = ("failures", "accounts", "positions")
MORE = ("sales", "decisions", "features", "regimes", *PEOPLE, *PAPERS)


@dataclass(frozen=True, eq=False)
class Run:
    """What a run left behind; equal to itself only.

    Parameters
    ----------
    folder : Path
        Where it lies.
    manifest : mapping
        Scenario, seed, versions, provenance of parameters.
    summary : mapping of str to float or None
        Metrics, in the units of `sim.metrics.METRICS`.
    blocks, markets, liquidations, deleverages, waterfall, parameters, agents : DataFrame
        Money in USD, sizes in base units, times in UTC.
    more : mapping of str to DataFrame
        Tables that only some runs have: `failures`, `accounts` and `positions`, which older ones lack;
        `sales`; `decisions`, `features` and `regimes` of a risk engine; `proposals`, `governance`
        (events) and `votes`.
    """

    folder: Path
    manifest: Mapping[str, Any]
    summary: Mapping[str, float | None]
    blocks: pd.DataFrame
    markets: pd.DataFrame
    liquidations: pd.DataFrame
    deleverages: pd.DataFrame
    waterfall: pd.DataFrame
    parameters: pd.DataFrame
    agents: pd.DataFrame
    more: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Markets, in the order of the scenario."""
        return [str(name) for name in self.manifest["markets"]]

    @property
    def block_seconds(self) -> int:
        """Length of a block [s]."""
        return int(self.manifest["block_seconds"])

    @property
    def seconds(self) -> int:
        """Length of the run [s]."""
        return len(self.blocks) * self.block_seconds

    def market(self, name: str) -> pd.DataFrame:
        """Rows of one market in the order of time, with `mid`, the book's, NaN while a side is empty."""
        rows = self.markets[self.markets["market"] == name].sort_values("block", ignore_index=True)
        return rows.assign(mid=(rows["bid"] + rows["ask"]) / 2)

    def value(self, metric: str) -> float:
        """A metric for sentences and sums, where one without meaning counts as nothing."""
        return float(self.summary.get(metric) or 0.0)


def load_run(folder: str | Path) -> Run:
    """Read a run's folder.

    Parameters
    ----------
    folder : str or Path
        As written by `seawall run`.

    Raises
    ------
    FileNotFoundError
        Names every file that a run's folder must hold and this one does not.
    """
    folder = Path(folder)
    files = ["manifest.json", "summary.json", *(f"{name}.parquet" for name in TABLES)]
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"a run's folder must hold {', '.join(missing)}, got none in {folder}")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    tables = {name: _frame(folder / f"{name}.parquet") for name in TABLES}
    others = {name: folder / f"{name}.parquet" for name in MORE}
    more = {name: _frame(file) for name, file in others.items() if file.is_file()}
    return Run(folder, manifest, summary, more=more, **tables)


def _frame(file: Path) -> pd.DataFrame:
    """A table; each column is let go of as soon as it is converted, then what reading took."""
    frame: pd.DataFrame = pq.read_table(file).to_pandas(split_blocks=True, self_destruct=True)
    pa.default_memory_pool().release_unused()
    return frame


def load(place: str | Path) -> Run | SweepResults:
    """Read what a run or a sweep has left behind, as pandas frames.

    Parameters
    ----------
    place : str or Path
        Folder of a run, or store of a sweep: a folder or a URL.

    Raises
    ------
    ScenarioError
        When neither lies there.
    """
    manifest = Path(place) / "manifest.json"
    if manifest.is_file() and "transcript_hash" in json.loads(manifest.read_text(encoding="utf-8")):
        return load_run(place)
    return load_sweep(place)
