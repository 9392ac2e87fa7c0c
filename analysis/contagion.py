"""Who is exposed to whom on a venue, and how a fall in one market closes positions in another.

Under cross margin one equity stands behind all positions of an account: what it loses in one market it lacks
in the others. Two networks of markets say how far that reaches: one of the falls below maintenance that
happened, one of those that would happen at a given move. Where positions stand alone both are empty.

References
----------
.. [1] Eisenberg and Noe (2001), see `analysis.clearing`.
.. [2] Battiston et al. (2012), Bardoscia et al. (2015), see `analysis.debt_rank`.
"""

from collections.abc import Iterator

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.clearing import Clearing, clear
from analysis.debt_rank import linear_debt_rank
from analysis.fairness import DECILES, accounts_of
from analysis.tables import Run

Floats = NDArray[np.float64]

HOUR = 3600
SPLIT = 100
FUND, VAULT, VENUE = "insurance fund", "vault", "venue"


def groups(run: Run) -> pd.Series:
    """Group of every trader by account: its role, and for roles of a hundred or more its decile of wealth."""
    rows = accounts_of(run)
    rank = rows.groupby("role")["equity_start"].rank(method="first")
    count = rows.groupby("role")["account"].transform("size")
    decile = np.ceil(rank * DECILES / count).astype(int).astype(str)
    role = rows["role"].str.replace("_", " ")
    named = role.where(count < SPLIT, role + " " + decile)
    return pd.Series(named.to_numpy(), index=rows["account"], name="group")


def exposure_network(run: Run) -> nx.DiGraph:
    """Who would lose when whom fails, as the run began, and who has lost by whom in it.

    Nodes have `kind` ("group", "market", "asset", "vault", "fund") and `usd`: equity, open interest of both
    sides, collateral, or what the fund held. Edges run from who loses to what it depends on; they have `usd`
    and `kind`: "position" (notional), "collateral" and "deposit" of the beginning; "payment" and "haircut"
    of the whole run, from who bore them to whose debts they were.

    Raises
    ------
    ValueError
        If the run was recorded without `accounts` and `positions`.
    """
    named, rows = groups(run), accounts_of(run)
    graph = nx.DiGraph()
    equity = rows["equity_start"].groupby(named.to_numpy(), sort=False).sum()
    graph.add_nodes_from((name, {"kind": "group", "usd": float(usd)}) for name, usd in equity.items())
    graph.add_node(FUND, kind="fund", usd=float(run.blocks["insurance_fund"].iloc[0]))
    graph.add_node(VAULT, kind="vault", usd=float(run.blocks[["vault_equity", "pool_equity"]].iloc[0].sum()))
    held = positions_of(run)
    held["group"] = held["account"].map(named)
    for market, of_market in held.groupby("market", sort=False):
        graph.add_node(market, kind="market", usd=float(of_market["notional_usd"].abs().sum()))
        _lead(graph, of_market.groupby("group")["notional_usd"].agg(_gross), str(market), "position")
        assets = of_market.groupby("group")["asset_usd"].sum()
        if assets.any():
            graph.add_node(f"{market} collateral", kind="asset", usd=float(assets.sum()))
            _lead(graph, assets, f"{market} collateral", "collateral")
    deposits = rows["shares_start"].groupby(named.to_numpy()).sum()
    _lead(graph, deposits, VAULT, "deposit")
    for loser, bearer, usd, kind in _transfers(run, named):
        graph.add_edge(bearer, loser, usd=usd, kind=kind)
    return graph


def _gross(values: pd.Series) -> float:
    return float(values.abs().sum())


def _lead(graph: nx.DiGraph, amounts: pd.Series, target: str, kind: str) -> None:
    """Add edges from groups to what they depend on."""
    for group, usd in amounts.items():
        if usd > 0:
            graph.add_edge(group, target, usd=float(usd), kind=kind)


def _transfers(run: Run, named: pd.Series) -> Iterator[tuple[str, str, float, str]]:
    """Whose debts were borne by whom: fund, vault and pools, deleveraged winners; debts of traders only."""
    payers = {"insurance_fund": FUND, "backstop_vault": VAULT, "liquidity_pool": VAULT}
    rows = run.waterfall[run.waterfall["stage"].isin(payers)]
    paid = pd.DataFrame({"loser": rows["account"].map(named), "bearer": rows["stage"].map(payers)})
    fills = run.deleverages
    cut = pd.DataFrame({"loser": fills["account"].map(named), "bearer": fills["counterparty"].map(named)})
    for frame, usd, kind in (
        (paid, rows["amount_usd"], "payment"),
        (cut, fills["haircut_usd"], "haircut"),
    ):
        sums = frame.assign(usd=usd).dropna().groupby(["loser", "bearer"])["usd"].sum()
        yield from (
            (loser, bearer, float(sums[loser, bearer]), kind) for loser, bearer in sums[sums > 0].index
        )


def positions_of(run: Run) -> pd.DataFrame:
    """What traders held when a run began.

    Raises
    ------
    ValueError
        If the run was recorded without the table `positions`.
    """
    if "positions" not in run.more:
        raise ValueError(f"who held what needs the table positions, got none in {run.folder}")
    rows = run.more["positions"].astype({"market": str})
    return rows[rows["account"].isin(accounts_of(run)["account"])].reset_index(drop=True)


def market_network(run: Run, lookback: float = HOUR) -> nx.DiGraph:
    """How much of each market fell below maintenance by moves of each other market.

    Every fall below maintenance is put down to the markets in which the account's positions have lost value
    over `lookback`, in proportion to these losses; what it held elsewhere is what they put at risk there.

    Parameters
    ----------
    run : Run
    lookback : float
        Time over which losses are counted, or since the run began [s]; assumed an hour.

    Returns
    -------
    DiGraph
        A node for each market; an edge from a to b has `usd`: notional in b of accounts that fell because of
        a, and a's own from a to a. `graph.graph["unexplained_usd"]` is the notional of falls without a loss:
        by funding, by older losses, by new margins.

    Raises
    ------
    ValueError
        If the run was recorded without the table `failures`.
    """
    if "failures" not in run.more:
        raise ValueError(f"a network of falls needs the table failures, got none in {run.folder}")
    rows = run.more["failures"]
    rows = rows.assign(held=(rows["size"] * rows["mark"]).abs(), loss=_losses(run, rows, lookback))
    keys = ["block", "round", "account"]
    tables = [
        rows.pivot_table(index=keys, columns="market", values=name, aggfunc="sum")
        .reindex(columns=run.names)
        .fillna(0.0)
        .to_numpy()
        for name in ("held", "loss")
    ]
    held, loss = tables
    total = loss.sum(axis=1)
    share = np.divide(loss, total[:, None], out=np.zeros_like(loss), where=total[:, None] > 0)
    graph = _of_markets(run.names, share.T @ held)
    graph.graph["unexplained_usd"] = float(held[total <= 0].sum())
    return graph


def _losses(run: Run, rows: pd.DataFrame, lookback: float) -> pd.Series:
    """What each position that failed has lost since `lookback` before, (k,) [USD], ≥ 0."""
    wide = run.markets.pivot(index="block", columns="market", values="mark")
    blocks = max(1, round(lookback / run.block_seconds))
    then = np.clip(rows["block"] - blocks, wide.index.min(), wide.index.max())
    before = wide.stack().reindex(pd.MultiIndex.from_arrays([then, rows["market"].astype(str)]))
    lost: pd.Series = rows["size"] * (before.to_numpy() - rows["mark"])
    return lost.clip(lower=0.0)


def stress_network(run: Run, move: float = -0.1) -> nx.DiGraph:
    """How much of each market would fall below maintenance if one market alone moved, as the run began.

    Parameters
    ----------
    run : Run
    move : float
        Of the mark, above −1 [1].

    Returns
    -------
    DiGraph
        As of `market_network`; nodes have `usd`, the notional of both sides. Requirements scale with
        notional, so tiers are as they were; nobody reacts, and no liquidation moves a price.
    """
    if move <= -1:
        raise ValueError(f"a price must stay above 0, got a move of {move:g}")
    size, equity, maintenance = stakes(run)
    gross = np.abs(size)
    total = gross.sum(axis=1)
    found = np.zeros((len(run.names), len(run.names)))
    for market in range(len(run.names)):
        after = total + move * gross[:, market]
        needed = maintenance * np.divide(after, total, out=np.ones_like(total), where=total > 0)
        falls = (equity + move * size[:, market] < needed) & (equity >= maintenance) & (total > 0)
        found[market] = gross[falls & (size[:, market] != 0)].sum(axis=0)
    graph = _of_markets(run.names, found)
    nx.set_node_attributes(graph, dict(zip(run.names, gross.sum(axis=0).tolist(), strict=True)), "usd")
    return graph


def stakes(run: Run) -> tuple[Floats, Floats, Floats]:
    """Traders as the run began: notional (n, m), equity on margin and maintenance (n,) [USD].

    Shares in the vault are no margin.
    """
    rows, held = accounts_of(run).set_index("account"), positions_of(run)
    size = held.pivot_table(index="account", columns="market", values="notional_usd", aggfunc="sum")
    size = size.reindex(index=rows.index, columns=run.names).fillna(0.0)
    equity = rows["equity_start"] - rows["shares_start"]
    return size.to_numpy(), equity.to_numpy(), rows["maintenance_start"].to_numpy()


def _of_markets(names: list[str], usd: Floats) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    for source, target in zip(*np.nonzero(usd), strict=True):
        graph.add_edge(names[source], names[target], usd=float(usd[source, target]))
    return graph


def passed_on(network: nx.DiGraph, market: str) -> dict[str, float]:
    """Share of each market's positions that falls if one market has its move, passed on by DebtRank.

    Of a `stress_network`: the positions that fall in a market are its loss, its open notional is what it can
    lose. A market hit from another passes on in proportion, as if its positions fell by a move of its own:
    what forced sales do to prices, in one number, and so an upper end [2]_.
    """
    names = list(network)
    worth = np.array([network.nodes[name]["usd"] for name in names])
    fallen = np.array(
        [[network.edges[a, b]["usd"] if network.has_edge(a, b) else 0.0 for b in names] for a in names]
    )
    own = np.diagonal(fallen).copy()
    share = np.divide(own, worth, out=np.zeros_like(own), where=worth > 0)
    np.fill_diagonal(fallen, 0.0)
    per_loss = np.divide(fallen, share[:, None], out=np.zeros_like(fallen), where=share[:, None] > 0)
    shock = np.where(np.array(names) == market, share, 0.0)
    loss = linear_debt_rank(per_loss.T, worth, shock)
    return dict(zip(names, loss.tolist(), strict=True))


def stress_clearing(run: Run, market: str, move: float) -> tuple[pd.DataFrame, Clearing]:
    """Who would get what if a market moved at once and the venue then paid all winners alike [1]_.

    Losers owe the venue what their positions lose, and pay no more than their equity; the venue has its
    insurance fund, and owes winners what they gain. A yardstick for the waterfall, which picks whom it cuts.
    Of traders only: what a vault or pool gains or loses is left out.

    Returns
    -------
    table : DataFrame
        By group: `lost`, `unpaid` of it, `gained`, `received` of it [USD].
    clearing : Clearing
        Of losers, each for itself where it cannot pay, and the venue last; winners owe nothing.
    """
    size, equity, _ = stakes(run)
    named = groups(run)
    change = move * size[:, run.names.index(market)]
    lost, gained = np.maximum(-change, 0.0), np.maximum(change, 0.0)
    own = np.maximum(equity, 0.0)
    short = np.flatnonzero(lost > own)
    liabilities = np.zeros((len(short) + 2, len(short) + 2))
    paying = np.delete(lost, short).sum()
    liabilities[:-1, -1] = [*lost[short], paying]
    assets = np.array([*own[short], paying, float(run.blocks["insurance_fund"].iloc[0])])
    beyond = np.append(np.zeros(len(short) + 1), gained.sum())
    clearing = clear(liabilities, assets, beyond)
    unpaid = np.zeros_like(lost)
    unpaid[short] = clearing.owed[: len(short)] - clearing.paid[: len(short)]
    rate = clearing.paid[-1] / gained.sum() if gained.any() else 1.0
    table = pd.DataFrame({"lost": lost, "unpaid": unpaid, "gained": gained, "received": rate * gained})
    return table.groupby(named.to_numpy(), sort=False).sum().rename_axis("group").reset_index(), clearing
