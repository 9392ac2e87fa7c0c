"""Metrics of capital efficiency: how much open interest a dollar of margin carries, and what trading costs.

Posted margin is the equity of all traders' accounts at a block end: cash, assets as the venue counts them,
and open profit. Slippage is not in the cost of trading, and neither are fees that go to a liquidity pool.
Where a pool closes positions and passes part of the liquidation fee to the venue's fee account, that part is
in both sums. Funding stands alone: what one trader pays, another gets, but for pools.
"""

import pandas as pd

from sim.metric_registry import RunTables, market_metric, venue_metric

FUNDING_SECONDS = 8 * 3600


def _posted(run: RunTables) -> pd.Series:
    """Equity of traders at each block end [USD], by block; NaN where there is none."""
    posted = run.blocks.set_index("block")["trader_equity"]
    return posted.where(posted > 0)


def _over_posted(amount: pd.Series, run: RunTables) -> float | None:
    """Mean over blocks of an amount of each row of `markets` [USD], all markets, over the posted margin."""
    total = amount.groupby(run.markets["block"]).sum()
    share = (total / _posted(run)).mean()
    return float(share)


def _over_volume(amount: float, run: RunTables) -> float | None:
    volume = float(run.markets["volume_usd"].sum())
    return amount / volume if volume > 0 else None


@venue_metric("System leverage", "x", "Capital efficiency")
def system_leverage(run: RunTables) -> float | None:
    """Mean over time of the open interest of all markets in USD over the equity of all traders."""
    return _over_posted(run.markets["open_interest_usd"], run)


@venue_metric("Margin utilisation", "1", "Capital efficiency")
def margin_utilisation(run: RunTables) -> float | None:
    """Mean over time of initial margin for both sides of the open interest, at flat rates, over equity."""
    if "initial_margin" not in run.markets:
        return None
    return _over_posted(2 * run.markets["open_interest_usd"] * run.markets["initial_margin"], run)


@market_metric("Usable leverage", "x", "Capital efficiency", worse="lower")
def usable_leverage(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Mean over time of one over the initial margin in force."""
    if "initial_margin" not in rows:
        return None
    margin = rows["initial_margin"]
    return float((1 / margin[margin > 0]).mean())


@venue_metric("Trader cost", "1", "Capital efficiency", worse="higher")
def trader_cost(run: RunTables) -> float | None:
    """Fees that the venue kept after the first block, and fees of liquidations, over traded volume."""
    fees, rows = run.blocks["fees_collected"], run.liquidations
    trading = float(fees.iloc[-1] - fees.iloc[0])
    liquidation = float(rows["fee_usd"].sum() + rows["insurance_delta"].clip(lower=0).sum())
    return _over_volume(trading + liquidation, run)


@venue_metric("Funding over volume", "1", "Capital efficiency", worse="higher")
def funding_cost(run: RunTables) -> float | None:
    """Funding that one side owed the other, at the rate and open interest of block ends, over volume."""
    due = (run.markets["funding_rate"].abs() * run.markets["open_interest_usd"]).sum()
    return _over_volume(float(due) * run.block_seconds / FUNDING_SECONDS, run)
