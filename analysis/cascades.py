"""The anatomy of cascades: what pushed each account below maintenance, and whom its liquidation pushed.

An account fails because the price at which it is margined has moved. A part of that price is what forced
trades have made of it: through the hedges of those who took them up, which move the outside price, and within
a block through the venue's own book. Without that part an account would have stood: then liquidations have
caused its failure, each by its share of the push. Shares are a matter of first order: a trade's push fades as
impact does, and nobody would have acted otherwise. What counts what people do about it is a counterfactual
run; see `analysis.attribution`.

References
----------
.. [1] Zhuang, Ogata and Vere-Jones, "Stochastic declustering of space-time earthquake occurrences" (2002):
   each event belongs to its possible causes by shares, and so to generations.
.. [2] Bouchaud, Farmer and Lillo (2009) on impact that fades in part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.settings import parse_duration
from analysis.tables import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GENERATIONS = 64
LEAST_SHARE = 0.001
OPENING_GATE = 0.01


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
        A row for each price move that made accounts fail: `block`, `round`, `market`, `channel` ("outside" or
        "venue"), and `move`, the log of what forced trades had made of the price.
    pushes : DataFrame
        Which failure's liquidation made which move: `failure`, `move`, `share`.
    falls : DataFrame
        Which move made which failure: `move`, `failure`, `share` of the loss; of endogenous failures only.
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

    def reproduction(self) -> Floats:
        """Volume of each generation over that of the one before, (g − 1,) [1]; NaN after an empty one."""
        volume = self.volume
        found: Floats = np.full(len(volume) - 1, np.nan)
        np.divide(volume[1:], volume[:-1], out=found, where=volume[:-1] > LEAST_SHARE * volume[0])
        return found

    def graph(self) -> nx.DiGraph:
        """Liquidation → price move → liquidation, as a graph.

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


def anatomy(run: Run) -> Anatomy:
    """Why each account of a run fell below maintenance.

    Raises
    ------
    ValueError
        If the run was recorded without the table `failures`.
    """
    if "failures" not in run.more:
        raise ValueError(f"the anatomy of a run needs its table failures, got none in {run.folder}")
    impact = run.manifest["scenario"]["world"]["impact"]
    fading = Impact(float(impact["permanent"]), float(str(parse_duration(impact["half_life"]))))
    tables = {"failures": run.more["failures"], "liquidations": run.liquidations, "markets": run.markets}
    return anatomy_of(tables, run.names, run.block_seconds, fading)


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
        self.trades = _trades(tables["liquidations"], self.failures, self.names)
        self.failures["liquidated_usd"] = np.bincount(
            self.trades["failure"], np.abs(self.trades["quote"]), minlength=len(self.failures)
        )
        self.forced = _by_block(tables["markets"], self.names)
        self.marks = _marks(tables, self.names)
        self.generations = np.zeros((len(self.failures), GENERATIONS))
        self.endogenous = np.zeros(len(self.failures), np.bool_)
        self.cause = np.full(len(self.failures), -1)
        self.moves: list[tuple[int, int, str, str, float]] = []
        self.pushes: list[pd.DataFrame] = []
        self.falls: list[tuple[int, int, float]] = []

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
        moves = [
            move
            for market in range(len(self.names))
            for move in (self._outside(block, number, market), self._venue(block, number, market))
            if move is not None
        ]
        pushed = np.zeros((len(moves), len(self.failures)))
        for index, move in enumerate(moves):
            np.add.at(pushed[index], self.trades["failure"][move.trades], move.shares)
        inherited = pushed @ self.generations
        first = len(self.moves)
        used = np.zeros(len(moves), np.bool_)
        for row in rows:
            losses = self._losses(row, moves)
            self.endogenous[row] = self._stands(row, moves)
            if not self.endogenous[row] or losses.sum() <= 0:
                self.endogenous[row] = False
                self.generations[row, 0] = 1.0
                continue
            shares = losses / losses.sum()
            self.generations[row, 1:] = (shares @ inherited)[:-1]
            self.cause[row] = int(np.argmax(shares @ pushed))
            self.falls += [(first + int(i), int(row), float(shares[i])) for i in np.flatnonzero(shares)]
            used |= shares > 0
        self._note(moves, used, pushed, (block, number), first)

    def _note(
        self,
        moves: list["_Move"],
        used: NDArray[np.bool_],
        pushed: Floats,
        moment: tuple[int, int],
        first: int,
    ) -> None:
        """Keep the moves of a round if any of them made somebody fall."""
        if not used.any():
            return
        for index, move in enumerate(moves):
            self.moves.append((*moment, self.names[move.market], move.channel, move.move))
            sources = np.flatnonzero(pushed[index] >= LEAST_SHARE) if used[index] else np.empty(0, int)
            columns = {"failure": sources, "move": first + index, "share": pushed[index][sources]}
            self.pushes.append(pd.DataFrame(columns))

    def _outside(self, block: int, number: int, market: int) -> "_Move | None":
        """What hedges of earlier blocks' forced trades have made of a market's price by now."""
        trades, move = self.trades, self.forced[block, market]
        chosen = np.flatnonzero(
            (trades["market"] == market)
            & (trades["block"] < block)
            & (np.sign(trades["quote"]) == np.sign(move))
        )
        if move == 0 or not len(chosen):
            return None
        age = (block - trades["block"][chosen]) * float(self.seconds)
        weight = np.abs(trades["quote"][chosen]) * self.impact.left(age)
        return _Move(market, "outside", float(move), chosen, weight / weight.sum())

    def _venue(self, block: int, number: int, market: int) -> "_Move | None":
        """What the rounds of this block have made of a market's mark so far."""
        trades, known = self.trades, self.marks.get((block, market), {})
        before = [each for each in known if each <= number]
        if not before or known[max(before)] == known[min(known)]:
            return None
        move = float(np.log(known[max(before)] / known[min(known)]))
        chosen = np.flatnonzero(
            (trades["market"] == market)
            & (trades["block"] == block)
            & (trades["round"] < number)
            & (np.sign(trades["quote"]) == np.sign(move))
        )
        if not len(chosen):
            return None
        weight = np.abs(trades["quote"][chosen])
        return _Move(market, "venue", move, chosen, weight / weight.sum())

    def _losses(self, row: int, moves: list["_Move"]) -> Floats:
        """What each move has cost an account, (k,) [USD], ≥ 0."""
        held = self.size[row] * self.mark[row]
        return np.array([max(-held[move.market] * np.expm1(move.move), 0.0) for move in moves])

    def _stands(self, row: int, moves: list["_Move"]) -> bool:
        """Whether an account would be above maintenance at the prices without forced trades."""
        total = np.zeros(len(self.names))
        for move in moves:
            total[move.market] += move.move
        size, mark = self.size[row], self.mark[row]
        without = mark * np.exp(-total)
        equity = self.failures["equity"].iloc[row] + size @ (without - mark)
        needed = self.failures["maintenance"].iloc[row] * (np.abs(size) @ without) / (np.abs(size) @ mark)
        return bool(equity >= needed)

    def result(self) -> Anatomy:
        """What was found."""
        last = np.flatnonzero(self.generations.sum(axis=0))
        kept = self.generations[:, : int(last.max(initial=0)) + 2]
        failures = self.failures.assign(
            endogenous=self.endogenous, generation=kept @ np.arange(kept.shape[1]), cause=self.cause
        )
        moves = pd.DataFrame(self.moves, columns=["block", "round", "market", "channel", "move"])
        none = pd.DataFrame({"failure": [], "move": [], "share": []})
        pushes = pd.concat([none, *self.pushes], ignore_index=True) if self.pushes else none
        falls = pd.DataFrame(self.falls, columns=["move", "failure", "share"])
        whole = {"failure": np.int64, "move": np.int64}
        return Anatomy(failures, moves, pushes.astype(whole), falls.astype(whole), kept)


@dataclass(frozen=True)
class _Move:
    """A part of a price that forced trades have made: its market, how it came, its log, and by whom.

    `trades`, (k,), are rows of the trades; `shares`, (k,), add up to 1.
    """

    market: int
    channel: str
    move: float
    trades: Ints
    shares: Floats


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


def _trades(table: pd.DataFrame, failures: pd.DataFrame, names: list[str]) -> dict[str, NDArray[Any]]:
    """Liquidations that filled, as columns; `quote` is what was bought [USD], and `failure` whose it was."""
    filled = table[table["filled"] != 0]
    rows = {"account": filled["account"], "block": filled["block"], "round": filled["round"]}
    trades = pd.DataFrame(rows).assign(
        market=filled["market"].map({name: index for index, name in enumerate(names)}),
        quote=np.sign(filled["filled"]) * filled["notional_usd"],
        moment=filled["block"].astype(np.int64) * 1_000_000 + filled["round"],
    )
    told = failures[["account"]].assign(
        moment=failures["block"].astype(np.int64) * 1_000_000 + failures["round"],
        failure=np.arange(len(failures)),
    )
    joined = pd.merge_asof(
        trades.sort_values("moment", kind="stable"),
        told.sort_values("moment", kind="stable"),
        on="moment",
        by="account",
    )
    keys = ["failure", "block", "round", "market"]
    summed = joined.dropna(subset="failure").groupby(keys)["quote"].sum().reset_index()
    return {name: summed[name].to_numpy() for name in ("block", "round", "market", "quote")} | {
        "failure": summed["failure"].to_numpy(dtype=np.int64)
    }


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
