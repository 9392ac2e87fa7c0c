"""The anatomy of cascades: what pushed each account below maintenance, and whom its liquidation pushed.

An account fails because the price at which it is margined has moved. A part of that price is what forced
trades have made of it: through the hedges of those who took them up, which move the outside price, and within
a block through the venue's own book. If without that part the account would have stood, liquidations have
caused its failure: the latest ones, as far back as it takes for the account to stand, each by what it cost.
This is a matter of first order: a trade's push fades as impact does, and nobody would have acted otherwise.
What counts what people do about it is a counterfactual run; see `analysis.attribution`.

References
----------
.. [1] Zhuang, Ogata and Vere-Jones, "Stochastic declustering of space-time earthquake occurrences" (2002):
   each event belongs to its possible causes by shares, and so to generations.
.. [2] Bouchaud, Farmer and Lillo (2009) on impact that fades in part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.settings import parse_duration
from analysis.tables import Run
from sim.run import Result

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GENERATIONS = 64
MOMENTS = 1_000_000
TRACED = 50_000
OUTSIDE, VENUE = "outside", "venue"


@dataclass(frozen=True)
class Anatomy:
    """Why accounts failed.

    Attributes
    ----------
    failures : DataFrame
        A row for each fall below maintenance, in order: `block`, `time`, `round`, `account`, `role`, its
        largest position's `market` and `side` (1 long, −1 short), `notional_usd` held, `equity`,
        `maintenance`, and `liquidated_usd` of it afterwards; `endogenous`: whether it would have stood
        without what forced trades had made of prices; `generation`, the mean one; `cause`, the failure with
        the largest share in it, −1 for none.
    moves : DataFrame
        A row for each push on a price: what was liquidated in one `block`, `round` and `market`, bought or
        sold (`side`), and how much, `volume_usd`.
    pushes : DataFrame
        Whose liquidation made which push: `failure`, `move`, `share`.
    falls : DataFrame
        Which push made which account fall: `move`, `failure`, `share`, and through which `channel`, the
        outside price or the venue's own; of endogenous failures only.
    generations : (n, g) float64
        Probability that each failure belongs to each generation; 0 are those that the world made.
    """

    failures: pd.DataFrame
    moves: pd.DataFrame
    pushes: pd.DataFrame
    falls: pd.DataFrame
    generations: Floats

    @property
    def volume(self) -> Floats:
        """Liquidated by generation, (g,) [USD]."""
        found: Floats = self.failures["liquidated_usd"].to_numpy() @ self.generations
        return found

    @property
    def endogenous_share(self) -> float:
        """Share of the volume liquidated that liquidations caused [1]; NaN without any."""
        total = self.volume.sum()
        return float(1 - self.volume[0] / total) if total > 0 else np.nan

    def graph(self) -> nx.DiGraph:
        """Liquidation → push on a price → liquidation, as a graph.

        Nodes are `("failure", i)` and `("move", j)` with the columns of their tables; edges carry `share`.
        """
        graph = nx.DiGraph()
        for kind, table in (("failure", self.failures), ("move", self.moves)):
            graph.add_nodes_from(
                ((kind, index), row) for index, row in enumerate(table.to_dict(orient="records"))
            )
        for row in self.pushes.itertuples():
            graph.add_edge(("failure", row.failure), ("move", row.move), share=row.share)
        for row in self.falls.itertuples():
            graph.add_edge(("move", row.move), ("failure", row.failure), share=row.share)
        return graph


@dataclass(frozen=True)
class Impact:
    """How a trade's push on the outside price fades.

    Attributes
    ----------
    permanent : float
        The share that stays [1].
    half_life : float
        Of the rest [s].
    """

    permanent: float
    half_life: float

    def left(self, seconds: Floats) -> Floats:
        """What is left of a push after some time, (k,) [1]."""
        return self.permanent + (1 - self.permanent) * 0.5 ** (seconds / self.half_life)


def traceable(run: Run) -> bool:
    """Whether a run's falls are few enough to be traced one by one."""
    return len(run.more.get("failures", ())) <= TRACED


@lru_cache(maxsize=2)
def anatomy(run: Run) -> Anatomy:
    """Why each account of a run fell below maintenance.

    Raises
    ------
    ValueError
        If the run was recorded without the table `failures`, or there are more than `TRACED` of them: what
        it takes grows with the square of their number.
    """
    if "failures" not in run.more:
        raise ValueError(f"the anatomy of a run needs its table failures, got none in {run.folder}")
    if not traceable(run):
        many = len(run.more["failures"])
        raise ValueError(f"the anatomy of a run needs at most {TRACED:,} falls, got {many:,} in {run.folder}")
    impact = run.manifest["scenario"]["world"]["impact"]
    fading = Impact(float(impact["permanent"]), float(str(parse_duration(impact["half_life"]))))
    tables = {"failures": run.more["failures"], "liquidations": run.liquidations, "markets": run.markets}
    return anatomy_of(tables, run.names, run.block_seconds, fading)


def result_anatomy(result: Result) -> Anatomy:
    """Why each account of a run that is still in memory fell below maintenance."""
    scenario = result.scenario
    impact = Impact(scenario.world.impact.permanent, float(scenario.world.impact.half_life))
    return anatomy_of(result.tables, scenario.markets, scenario.clock.block, impact)


def anatomy_of(
    tables: Mapping[str, pd.DataFrame], names: Sequence[str], seconds: int, impact: Impact
) -> Anatomy:
    """Why each account fell below maintenance.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        `failures`, `liquidations` and `markets` of a run.
    names : sequence of str
        Markets.
    seconds : int
        Length of a block [s].
    impact : Impact
    """
    search = _Search(tables, names, seconds, impact)
    for group in search.groups:
        search.trace(group)
    return search.result()


class _Search:
    """Goes through failures in the order of time; what was found for earlier ones explains later ones."""

    def __init__(
        self, tables: Mapping[str, pd.DataFrame], names: Sequence[str], seconds: int, impact: Impact
    ) -> None:
        self.names, self.seconds, self.impact = list(names), seconds, impact
        self.failures, self.size, self.mark = _failures(tables["failures"], self.names)
        trades = _trades(tables["liquidations"], self.failures, self.names)
        self.failures["liquidated_usd"] = np.bincount(
            trades["failure"], trades["quote"].abs(), minlength=len(self.failures)
        )
        self.moves, self.pushes = _moves(trades)
        self.moved_in = self.moves["market"].to_numpy(dtype=int)
        self.forced = _by_block(tables["markets"], self.names)
        self.marks = _marks(tables, self.names)
        self.generations = np.zeros((len(self.failures), GENERATIONS))
        self.inherited = np.zeros((len(self.moves), GENERATIONS))
        self.settled = 0
        self.endogenous = np.zeros(len(self.failures), np.bool_)
        self.cause = np.full(len(self.failures), -1)
        self.main = self._main_pusher()
        self.falls: list[tuple[Ints, Ints, Floats, NDArray[np.bool_]]] = []

    def _main_pusher(self) -> Ints:
        """The failure with the largest part of each push, (w,)."""
        ordered = self.pushes.sort_values(["move", "share", "failure"], ascending=[True, False, True])
        first: Ints = ordered.drop_duplicates("move")["failure"].to_numpy(dtype=np.int64)
        return first

    @property
    def groups(self) -> list[tuple[tuple[int, int], Ints]]:
        """Failures of the same block and round, with both, in order."""
        moments = self.failures[["block", "round"]].to_numpy(dtype=int)
        borders = np.flatnonzero(np.diff(moments, axis=0).any(axis=1)) + 1
        rows = np.split(np.arange(len(moments)), borders)
        return [((int(moments[each[0], 0]), int(moments[each[0], 1])), each) for each in rows if len(each)]

    def trace(self, group: tuple[tuple[int, int], Ints]) -> None:
        """Find out who of one round would have stood, and share out what made the others fall."""
        (block, number), rows = group
        known = int(np.searchsorted(self.moves["moment"], block * MOMENTS + number))
        self._inherit(known)
        made = self._outside(block, known)
        within = self._venue(block, number, known)
        total: Floats = np.zeros(len(self.names))
        np.add.at(total, self.moved_in[:known], made + within)
        for row in rows:
            shares = self._shares(row, made + within, total)
            self.endogenous[row] = shares is not None
            if shares is None:
                self.generations[row, 0] = 1.0
                continue
            causes = np.flatnonzero(shares)
            self.generations[row, 1:] = (shares[causes] @ self.inherited[causes])[:-1]
            self.cause[row] = self.main[causes[np.argmax(shares[causes])]]
            self.falls.append((causes, np.full(len(causes), row), shares[causes], within[causes] != 0))

    def _inherit(self, known: int) -> None:
        """Let pushes that are over by now pass on the generations of those who made them."""
        new = self.pushes[(self.pushes["move"] >= self.settled) & (self.pushes["move"] < known)]
        parts = new["share"].to_numpy()[:, None] * self.generations[new["failure"]]
        np.add.at(self.inherited, new["move"].to_numpy(), parts)
        self.settled = max(self.settled, known)

    def _outside(self, block: int, known: int) -> Floats:
        """What each earlier push has made of its market's price by now, through hedges, (known,) [log].

        What is liquidated in a block is hedged in the next one and moves the price of the one after that.
        """
        moves = self.moves.iloc[:known]
        forced = self.forced[block][self.moved_in[:known]]
        age = (block - moves["block"].to_numpy()) * float(self.seconds)
        counts = (age > self.seconds) & (moves["side"].to_numpy() == np.sign(forced))
        weight = np.where(counts, moves["volume_usd"].to_numpy() * self.impact.left(age), 0.0)
        whole = np.bincount(self.moved_in[:known], weight, minlength=len(self.names))[self.moved_in[:known]]
        share: Floats = np.divide(weight, whole, out=np.zeros(known), where=whole > 0)
        return np.asarray(forced * share)

    def _venue(self, block: int, number: int, known: int) -> Floats:
        """What each push of this block has made of its market's own price, (known,) [log].

        Each by how the mark moved from its round to the next in which anybody looked at it.
        """
        found = np.zeros(known)
        moves = self.moves.iloc[:known]
        for index in np.flatnonzero(moves["block"].to_numpy() == block):
            market, side, made = self.moved_in[index], moves["side"].iloc[index], moves["round"].iloc[index]
            marks = self.marks.get((block, int(market)), {})
            later = [each for each in marks if made < each <= number]
            if made in marks and later:
                step = np.log(marks[min(later)] / marks[made])
                found[index] = step if np.sign(step) == side else 0.0
        return found

    def _shares(self, row: int, made: Floats, total: Floats) -> Floats | None:
        """The share of each push in an account's fall, (known,) [1]; None if it would have fallen anyway.

        The latest pushes without which it would have stood, by what they cost it.
        """
        size, mark = self.size[row], self.mark[row]
        without = mark * np.exp(-total)
        equity, maintenance = self.failures["equity"].iloc[row], self.failures["maintenance"].iloc[row]
        needed = maintenance * (np.abs(size) @ without) / (np.abs(size) @ mark)
        gain = size @ (without - mark) - (needed - maintenance)
        short = maintenance - equity
        held = (size * mark)[self.moved_in[: len(made)]]
        losses = np.maximum(-held * np.expm1(made), 0.0)
        if gain < short or losses.sum() <= 0:
            return None
        moments = self.moves["moment"].to_numpy()[: len(made)]
        latest = np.cumsum(losses[::-1]) * gain / losses.sum()
        cut = min(int(np.searchsorted(latest, short * (1 - 1e-9))), len(made) - 1)
        kept = losses * (moments >= moments[::-1][cut])
        shares: Floats = kept / kept.sum()
        return shares

    def result(self) -> Anatomy:
        """What was found."""
        last = np.flatnonzero(self.generations.sum(axis=0))
        kept = self.generations[:, : int(last.max(initial=0)) + 2]
        failures = self.failures.assign(
            endogenous=self.endogenous, generation=kept @ np.arange(kept.shape[1]), cause=self.cause
        )
        moves = self.moves.assign(market=np.array(self.names, object)[self.moved_in])
        return Anatomy(failures, moves.drop(columns="moment"), self.pushes, self._falls(), kept)

    def _falls(self) -> pd.DataFrame:
        """Which push made which account fall, in the order of falls."""
        nothing = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0, np.bool_)
        move, failure, share, venue = map(np.concatenate, zip(nothing, *self.falls, strict=True))
        channel = pd.Categorical.from_codes(venue.astype(np.int8), categories=pd.Index([OUTSIDE, VENUE]))
        return pd.DataFrame({"move": move, "failure": failure, "share": share, "channel": channel})


def _moves(trades: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pushes in the order of time, and whose they were: trades of one round, market and side together."""
    keys = ["block", "round", "market", "side"]
    number = trades.groupby(keys, sort=True).ngroup()
    size = trades["quote"].abs()
    grouped = trades.assign(volume_usd=size).groupby(keys, sort=True)["volume_usd"].sum().reset_index()
    grouped["moment"] = grouped["block"].astype(np.int64) * MOMENTS + grouped["round"]
    whole = grouped["volume_usd"].to_numpy()[number] if len(number) else np.empty(0)
    pushes = pd.DataFrame({"failure": trades["failure"], "move": number, "share": size / whole})
    return grouped, pushes.astype({"failure": np.int64, "move": np.int64}).reset_index(drop=True)


def _failures(table: pd.DataFrame, names: list[str]) -> tuple[pd.DataFrame, Floats, Floats]:
    """One row for each failure, with its positions [base unit] and their marks [USD], (n, m)."""
    place = table["market"].map({name: index for index, name in enumerate(names)}).to_numpy(dtype=int)
    number = table.groupby(["block", "round", "account"], sort=True).ngroup().to_numpy()
    count = int(number.max(initial=-1)) + 1
    size, mark = np.zeros((2, count, len(names)))
    size[number, place], mark[number, place] = table["size"], table["mark"]
    held = np.abs(size * mark)
    first = table.assign(number=number).drop_duplicates("number").sort_values("number", ignore_index=True)
    largest = held.argmax(axis=1) if count else np.empty(0, int)
    frame = first[["block", "time", "round", "account", "role"]].assign(
        market=np.array(names, object)[largest],
        side=np.sign(size[np.arange(count), largest]).astype(int),
        notional_usd=held.sum(axis=1),
        equity=first["equity"],
        maintenance=first["maintenance"],
    )
    return frame, size, mark


def _trades(table: pd.DataFrame, failures: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Liquidations that filled: `failure`, `block`, `round`, `market`, `side`, and `quote` bought [USD]."""
    filled = table[table["filled"] != 0]
    rows = {"account": filled["account"], "block": filled["block"], "round": filled["round"]}
    trades = pd.DataFrame(rows).assign(
        market=filled["market"].map({name: index for index, name in enumerate(names)}),
        quote=np.sign(filled["filled"]) * filled["notional_usd"],
        moment=filled["block"].astype(np.int64) * MOMENTS + filled["round"],
    )
    told = failures[["account"]].assign(
        moment=failures["block"].astype(np.int64) * MOMENTS + failures["round"],
        failure=np.arange(len(failures)),
    )
    joined = pd.merge_asof(
        trades.sort_values("moment", kind="stable"),
        told.sort_values("moment", kind="stable"),
        on="moment",
        by="account",
    ).dropna(subset="failure")
    joined["side"] = np.sign(joined["quote"]).astype(int)
    keys = ["failure", "block", "round", "market", "side"]
    return joined.groupby(keys)["quote"].sum().reset_index().astype({"failure": np.int64})


def _by_block(markets: pd.DataFrame, names: list[str]) -> Floats:
    """What forced trades had made of the prices of margin, by block, (t + 1, m) [log]."""
    wide = markets.pivot(index="block", columns="market", values="forced_impact")[names]
    found = np.zeros((int(wide.index.max()) + 1, len(names)))
    found[wide.index] = wide.to_numpy()
    return found


def _marks(tables: Mapping[str, pd.DataFrame], names: list[str]) -> dict[tuple[int, int], dict[int, float]]:
    """Mark at the beginning of the rounds of each block and market in which anybody looked at it [USD]."""
    columns = ["block", "round", "market", "mark"]
    seen = pd.concat([tables["failures"][columns], tables["liquidations"][columns]])
    seen = seen.drop_duplicates(subset=columns[:3])
    found: dict[tuple[int, int], dict[int, float]] = {}
    for block, number, market, mark in zip(*(seen[name] for name in columns), strict=True):
        found.setdefault((int(block), names.index(market)), {})[int(number)] = float(mark)
    return found
