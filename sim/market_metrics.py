"""Metrics of one market: what its prices and positions did."""

import pandas as pd

from sim.metric_registry import RunTables, market_metric


def _change(values: pd.Series) -> float | None:
    known = values.dropna()
    if known.empty or known.iloc[0] == 0:
        return None
    return float(known.iloc[-1] / known.iloc[0] - 1)


def _drawdown(values: pd.Series) -> float | None:
    known = values.dropna()
    if known.empty:
        return None
    return float((1 - known / known.cummax()).max())


@market_metric("Price change, outside", "1", "Prices")
def outside_change(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Change of the outside price from the first to the last recorded block."""
    return _change(rows["outside"])


@market_metric("Price change, oracle", "1", "Prices")
def oracle_change(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Change of the oracle price from the first to the last recorded block."""
    return _change(rows["oracle"])


@market_metric("Price change, mark", "1", "Prices")
def mark_change(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Change of the mark price from the first to the last recorded block."""
    return _change(rows["mark"])


@market_metric("Worst drawdown, outside", "1", "Prices", worse="higher")
def outside_drawdown(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Largest fall of the outside price below its highest earlier value, as a share of that value."""
    return _drawdown(rows["outside"])


@market_metric("Worst drawdown, oracle", "1", "Prices", worse="higher")
def oracle_drawdown(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Largest fall of the oracle price below its highest earlier value, as a share of that value."""
    return _drawdown(rows["oracle"])


@market_metric("Worst drawdown, mark", "1", "Prices", worse="higher")
def mark_drawdown(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Largest fall of the mark price below its highest earlier value, as a share of that value."""
    return _drawdown(rows["mark"])


@market_metric("Worst drawdown, book", "1", "Prices", worse="higher")
def book_drawdown(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Largest fall of the book's mid price below its highest earlier value, while both sides stood."""
    return _drawdown((rows["bid"] + rows["ask"]) / 2)


@market_metric("Largest gap, book to outside", "1", "Prices", worse="higher")
def book_gap_max(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Largest absolute gap between the book's mid and the outside price, as a share of the latter."""
    return float(((rows["bid"] + rows["ask"]) / 2 / rows["outside"] - 1).abs().max())


@market_metric("Largest gap, mark to outside", "1", "Prices", worse="higher")
def basis_max(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Largest absolute gap between mark and outside price at a block end, as a share of the outside price."""
    return float((rows["mark"] / rows["outside"] - 1).abs().max())


@market_metric("Mean funding per 8 h", "1/8h", "Prices")
def funding_mean(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Mean over blocks of the funding rate per 8 hours; positive when longs pay shorts."""
    return float(rows["funding_rate"].mean())


@market_metric("Open interest, start", "base units", "Open interest")
def open_interest_start(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Sum of all long positions at the end of the first block, in units of the market's coin."""
    return float(rows["open_interest"].iloc[0])


@market_metric("Open interest, end", "base units", "Open interest")
def open_interest_end(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Sum of all long positions at the end of the last block, in units of the market's coin."""
    return float(rows["open_interest"].iloc[-1])


@market_metric("Open interest change in coin", "1", "Open interest")
def open_interest_change(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Change of the open interest in coin from the first to the last recorded block."""
    return _change(rows["open_interest"])


@market_metric("Volume over OI, per day", "1/day", "Open interest")
def turnover(rows: pd.DataFrame, run: RunTables) -> float | None:
    """Traded volume per day over the mean open interest, both in USD."""
    mean = rows["open_interest_usd"].mean()
    return float(rows["volume_usd"].sum() / run.days / mean) if mean > 0 and run.days > 0 else None


def _liquidated(rows: pd.DataFrame) -> float:
    return float(rows["long_liquidated_usd"].sum() + rows["short_liquidated_usd"].sum())


@market_metric("Liquidated", "USD", "Liquidations", worse="higher")
def liquidated_usd(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Notional of positions closed by liquidation in the market, longs and shorts."""
    return _liquidated(rows)


@market_metric("Liquidated, share of starting OI", "1", "Liquidations", worse="higher")
def liquidated_share(rows: pd.DataFrame, _run: RunTables) -> float | None:
    """Liquidated notional over the open interest in USD at the end of the first block."""
    start = float(rows["open_interest_usd"].iloc[0])
    return _liquidated(rows) / start if start > 0 else None
