"""Who bore the losses of a run: traders themselves, funds, winners, everybody; and how evenly.

A failed account is one of which something was liquidated, taken over, or paid for by others. What it has lost
in the run is split into what it had brought, and what each stage of the waterfall paid in its place. A loss
ends where the account's money ends: what it owes beyond that is borne by the stage that paid, or uncovered.

References
----------
.. [1] Chitra, "Autodeleveraging: Impossibilities and Optimization", arXiv 2512.01112 v3: budget, produced
   haircut by two passes, overshoot.
.. [2] Gini (1912), in the form of sorted ranks; see Sen, "On Economic Inequality" (1973), p. 31.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.narrative import STAGES
from analysis.tables import Run

COLLATERAL = "trader_collateral"
BEARERS = {COLLATERAL: "traders' own collateral"} | STAGES
DECILES = 10


class Overshoot(NamedTuple):
    """What deleveraging took from winners, against what it was for [USD].

    Attributes
    ----------
    produced : float
        What winners lost by it.
    budget : float
        Distance of its fills from the mark, times their sizes.
    deficit : float
        What it paid of the deficits of bankrupt accounts.
    """

    produced: float
    budget: float
    deficit: float

    @property
    def over_budget(self) -> float:
        """Overshoot as in [1]_: what winners lost, less what the fills took from them."""
        return self.produced - self.budget

    @property
    def over_deficit(self) -> float:
        """What winners lost, less what was missing."""
        return self.produced - self.deficit


def accounts_of(run: Run) -> pd.DataFrame:
    """Traders of a run, with `loss`: what each has lost of its own, in all places, ≥ 0 [USD].

    Raises
    ------
    ValueError
        If the run was recorded without the table `accounts`.
    """
    if "accounts" not in run.more:
        raise ValueError(f"who lost what needs the table accounts, got none in {run.folder}")
    rows = run.more["accounts"]
    return rows.assign(loss=(-rows["pnl"] - rows["owed"]).clip(lower=0.0))


def borne(run: Run) -> pd.DataFrame:
    """Losses of failed accounts: `account`, `market`, `stage` that bore it, and `amount_usd`.

    Only the account is recorded with a loss. Its parts belong to markets in proportion to what was closed of
    the account there by force; `market` is empty where nothing was.
    """
    paid = run.waterfall.groupby(["account", "stage"], sort=True)["amount_usd"].sum().reset_index()
    rows = accounts_of(run)
    failed = rows[rows["liquidated"] | rows["account"].isin(paid["account"])]
    spent = (-failed["venue_pnl"] - failed["owed"]).clip(lower=0.0)
    own = pd.DataFrame({"account": failed["account"], "stage": COLLATERAL, "amount_usd": spent})
    whole = pd.concat([own[own["amount_usd"] > 0], paid], ignore_index=True)
    split = whole.merge(_closed_shares(run), on="account", how="left").fillna({"market": "", "share": 1.0})
    split["amount_usd"] *= split.pop("share")
    return split[["account", "market", "stage", "amount_usd"]]


def _closed_shares(run: Run) -> pd.DataFrame:
    """Share of each market in what was closed of an account by force, else in what was tried."""
    orders = run.liquidations
    keys, columns = ["account", "market"], ["account", "market", "notional_usd"]
    closed = pd.concat([rows.loc[rows["notional_usd"] > 0, columns] for rows in (orders, run.deleverages)])
    tried = orders[~orders["account"].isin(closed["account"])]
    others = tried[keys].assign(notional_usd=tried["size"].abs() * tried["oracle"])
    sums = pd.concat([closed, others]).groupby(keys)["notional_usd"].sum()
    shares = sums / sums.groupby("account").transform("sum")
    return shares.rename("share").reset_index()


def who_paid(run: Run) -> pd.DataFrame:
    """Who bore what failed accounts lost, by stage and market.

    Columns are `stage`, `payer`, `amount_usd`, `share`, and the amount of each market by its name. Rows are
    in the order of the waterfall, what traders had themselves first. Parts add up to the whole, over stages
    and over markets; a market that could not be told is named "".
    """
    rows = borne(run)
    table = rows.pivot_table(index="stage", columns="market", values="amount_usd", aggfunc="sum")
    table = table.reindex(index=list(BEARERS), columns=[*run.names, ""]).fillna(0.0)
    amount = rows.groupby("stage")["amount_usd"].sum().reindex(list(BEARERS)).fillna(0.0)
    total = float(amount.sum())
    table.insert(0, "payer", list(BEARERS.values()))
    table.insert(1, "amount_usd", amount)
    table.insert(2, "share", amount / total if total > 0 else 0.0)
    return table.rename_axis(columns=None).reset_index()


def haircuts(run: Run) -> pd.DataFrame:
    """One row for each deleveraged winner, with `role`, `fills`, `notional_usd`, `haircut_usd` and `share`.

    The notional is at the mark; `share` is the haircut over it, negative where the winner was closed above
    the mark. What a winner had gained before is not recorded.
    """
    rows = run.deleverages
    rows = rows.assign(notional_usd=(rows["size"] * rows["mark"]).abs())
    winners = rows.groupby("counterparty").agg(
        role=("counterparty_role", "first"),
        fills=("block", "size"),
        notional_usd=("notional_usd", "sum"),
        haircut_usd=("haircut_usd", "sum"),
    )
    winners["share"] = winners["haircut_usd"] / winners["notional_usd"]
    return winners.rename_axis("account").reset_index()


def haircut_distribution(run: Run) -> pd.Series:
    """Number of deleveraged winners, their haircut [USD], its share of notional: median, 90 %, largest."""
    found = haircuts(run)
    share = found["share"]
    return pd.Series(
        {
            "winners": float(len(found)),
            "haircut_usd": found["haircut_usd"].sum(),
            "median": share.median(),
            "p90": share.quantile(0.9),
            "max": share.max(),
        }
    )


def overshoot(run: Run, twin: Run | None = None) -> Overshoot:
    """What deleveraging took beyond what it was for.

    Parameters
    ----------
    run : Run
    twin : Run, optional
        The same world and seed without deleveraging. What winners lost is then the difference of their wealth
        at the end, summed where the twin's is larger: the two passes of [1]_, which end a wave and not a run.
        All that people did differently since counts, so both runs should end soon after. Without a twin it
        is what their fills brought less than the mark: then nothing is over budget. A pool that closes its
        winners names no deficit, and all that they give up is over it.

    Raises
    ------
    ValueError
        If the twin is of another seed, or deleveraged somebody itself.
    """
    rows = run.deleverages
    budget = float(((rows["mark"] - rows["price"]) * rows["size"]).abs().sum())
    deficit = float(run.waterfall.loc[run.waterfall["stage"] == "auto_deleveraging", "amount_usd"].sum())
    if twin is None:
        return Overshoot(budget, budget, deficit)
    if twin.manifest["seed"] != run.manifest["seed"] or len(twin.deleverages):
        raise ValueError(
            f"a twin must have the seed {run.manifest['seed']} and no deleveraging, "
            f"got seed {twin.manifest['seed']} and {len(twin.deleverages)} fills"
        )
    ends = (each.more["accounts"].set_index("account")["wealth_end"] for each in (run, twin))
    closed, kept = (end.reindex(rows["counterparty"].unique()).fillna(0.0) for end in ends)
    return Overshoot(float((kept - closed).clip(lower=0.0).sum()), budget, deficit)


def deciles(run: Run, role: str = "retail", parts: int = DECILES) -> pd.DataFrame:
    """Accounts of a role with `decile`, 1 for the poorest by equity at the start; ties by account."""
    rows = accounts_of(run)
    rows = rows[rows["role"] == role].reset_index(drop=True)
    rank = rows["equity_start"].rank(method="first")
    return rows.assign(decile=np.ceil(rank * parts / max(len(rows), 1)).astype(int))


def loss_by_role(run: Run) -> pd.DataFrame:
    """Losses by role; columns as in `loss_by_decile`, with `role` first."""
    return _grouped(accounts_of(run), "role")


def loss_by_decile(run: Run, role: str = "retail", parts: int = DECILES) -> pd.DataFrame:
    """Losses of a role by decile of wealth.

    Returns
    -------
    DataFrame
        `decile`, `accounts`, `equity_start`, `pnl`, `loss` (of those who lost, no more than they had),
        `share` of all losses, `rate` (loss over equity at the start), `liquidated` (share of accounts), and
        `haircut_usd` of deleveraging.
    """
    return _grouped(deciles(run, role, parts), "decile")


def _grouped(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    sums = rows.groupby(by, sort=by == "decile").agg(
        accounts=("account", "size"),
        equity_start=("equity_start", "sum"),
        pnl=("pnl", "sum"),
        loss=("loss", "sum"),
        liquidated=("liquidated", "mean"),
        haircut_usd=("haircut_usd", "sum"),
    )
    total = sums["loss"].sum()
    sums["share"] = sums["loss"] / total if total > 0 else 0.0
    sums["rate"] = (sums["loss"] / sums["equity_start"]).where(sums["equity_start"] > 0)
    order = ["accounts", "equity_start", "pnl", "loss", "share", "rate", "liquidated", "haircut_usd"]
    return sums[order].reset_index()


def gini(values: ArrayLike) -> float:
    """Gini coefficient: 0 where all are equal, (n − 1)/n where one of n has all; NaN where none has anything.

    Parameters
    ----------
    values : (n,) array_like
        Not negative.

    Raises
    ------
    ValueError
        Where one is negative: the coefficient has no bound then.
    """
    ranked = np.sort(np.asarray(values, dtype=np.float64))
    if len(ranked) and ranked[0] < 0:
        raise ValueError(f"a Gini coefficient needs values of at least 0, got {ranked[0]:g}")
    total, count = ranked.sum(), len(ranked)
    if total == 0:
        return float("nan")
    weight = 2 * np.arange(1, count + 1) - count - 1
    return float(weight @ ranked / (count * total))


def gini_of_losses(run: Run, role: str = "retail") -> float:
    """Gini coefficient of what accounts of a role have lost; those who lost nothing count as nothing."""
    rows = accounts_of(run)
    return gini(rows.loc[rows["role"] == role, "loss"])
