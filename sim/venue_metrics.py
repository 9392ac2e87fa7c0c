"""Metrics of the whole venue: how much was liquidated, who paid, and how long it took."""

import numpy as np
import pandas as pd

from sim.metric_registry import RunTables, venue_metric

HOUR = 3600


def _paid(run: RunTables, *stages: str) -> float:
    rows = run.waterfall
    return float(rows.loc[rows["stage"].isin(stages), "amount_usd"].sum())


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


@venue_metric("Accounts liquidated", "accounts", "Liquidations", worse="higher")
def liquidated_accounts(run: RunTables) -> float | None:
    """Number of different accounts of which a liquidation closed, or the vault took over, some position."""
    rows = run.liquidations
    return float(rows.loc[(rows["filled"] != 0) | (rows["outcome"] == "vault"), "account"].nunique())


@venue_metric("Liquidated", "USD", "Liquidations", worse="higher")
def liquidated_usd(run: RunTables) -> float | None:
    """Notional of positions closed by liquidation; LaR is its 95th percentile over runs."""
    return float(run.markets["long_liquidated_usd"].sum() + run.markets["short_liquidated_usd"].sum())


@venue_metric("Liquidation attempts", "attempts", "Liquidations", worse="higher")
def liquidation_count(run: RunTables) -> float | None:
    """Number of liquidation orders sent, filled or not."""
    return float(len(run.liquidations))


@venue_metric("Unfilled share of orders", "1", "Liquidations", worse="higher")
def liquidation_unfilled_share(run: RunTables) -> float | None:
    """Share of the notional of liquidation orders, at the oracle price, that was not filled."""
    rows = run.liquidations
    asked = float((rows["size"].abs() * rows["oracle"]).sum())
    filled = float((rows["filled"].abs() * rows["oracle"]).sum())
    return _ratio(asked - filled, asked)


@venue_metric("Worst hour, forced volume over OI", "1", "Liquidations", worse="higher")
def forced_hour_share(run: RunTables) -> float | None:
    """Largest liquidated and deleveraged notional within one hour over the open interest in USD before it."""
    columns = ["long_liquidated_usd", "short_liquidated_usd", "deleveraged_usd", "open_interest_usd"]
    sums = run.markets.groupby("block", sort=True)[columns].sum()
    window = max(1, HOUR // run.block_seconds)
    forced = sums[columns[:3]].sum(axis=1).rolling(window, min_periods=1).sum()
    before = sums["open_interest_usd"].shift(window).fillna(sums["open_interest_usd"].iloc[0])
    share = forced[before > 0] / before[before > 0]
    return float(share.max()) if len(share) else None


@venue_metric("Collateral sold", "USD", "Liquidations", worse="higher")
def collateral_sold_usd(run: RunTables) -> float | None:
    """What buyers paid for assets of failing accounts; only where some were sold."""
    sales = run.more.get("sales")
    return None if sales is None or sales.empty else float(sales["paid_usd"].sum())


@venue_metric("Bad debt, gross", "USD", "Who paid", worse="higher")
def bad_debt_gross_usd(run: RunTables) -> float | None:
    """Shortfall of all bankrupt accounts before the insurance fund, summed over the run."""
    return float(run.waterfall["amount_usd"].sum())


@venue_metric("Bad debt over starting OI", "1", "Who paid", worse="higher")
def bad_debt_share(run: RunTables) -> float | None:
    """Gross bad debt over the open interest of all markets in USD at the end of the first block."""
    opening = run.markets.loc[run.markets["block"] == run.markets["block"].min(), "open_interest_usd"].sum()
    return _ratio(bad_debt_gross_usd(run) or 0.0, float(opening))


@venue_metric("Bankrupt accounts", "accounts", "Who paid", worse="higher")
def bankrupt_accounts(run: RunTables) -> float | None:
    """Number of different accounts whose shortfall somebody else had to bear."""
    return float(run.waterfall.loc[run.waterfall["amount_usd"] > 0, "account"].nunique())


@venue_metric("Paid by the insurance fund", "USD", "Who paid", worse="higher")
def insurance_fund_paid_usd(run: RunTables) -> float | None:
    """Part of the gross bad debt that the insurance fund paid."""
    return _paid(run, "insurance_fund")


@venue_metric("Bad debt after the insurance fund", "USD", "Who paid", worse="higher")
def bad_debt_after_fund_usd(run: RunTables) -> float | None:
    """Gross bad debt less what the insurance fund paid."""
    return _paid(run, "backstop_vault", "liquidity_pool", "auto_deleveraging", "socialised_loss", "uncovered")


@venue_metric("Paid by the backstop vault", "USD", "Who paid", worse="higher")
def vault_paid_usd(run: RunTables) -> float | None:
    """Part of the gross bad debt that the backstop vault took over."""
    return _paid(run, "backstop_vault")


@venue_metric("Bad debt after the vault", "USD", "Who paid", worse="higher")
def bad_debt_after_vault_usd(run: RunTables) -> float | None:
    """Gross bad debt less what the insurance fund and the backstop vault paid."""
    return _paid(run, "liquidity_pool", "auto_deleveraging", "socialised_loss", "uncovered")


@venue_metric("Paid by liquidity pools", "USD", "Who paid", worse="higher")
def pool_paid_usd(run: RunTables) -> float | None:
    """Part of the gross bad debt that liquidity pools bore by closing accounts below zero."""
    return _paid(run, "liquidity_pool")


@venue_metric("Paid by auto-deleveraging", "USD", "Who paid", worse="higher")
def adl_paid_usd(run: RunTables) -> float | None:
    """Part of the gross bad debt that deleveraged counterparties gave up."""
    return _paid(run, "auto_deleveraging")


@venue_metric("Bad debt after auto-deleveraging", "USD", "Who paid", worse="higher")
def bad_debt_after_adl_usd(run: RunTables) -> float | None:
    """Gross bad debt less what fund, vault, pools and deleveraged counterparties paid."""
    return _paid(run, "socialised_loss", "uncovered")


@venue_metric("Socialised loss", "USD", "Who paid", worse="higher")
def socialised_loss_usd(run: RunTables) -> float | None:
    """Part of the gross bad debt spread over all accounts."""
    return _paid(run, "socialised_loss")


@venue_metric("Uncovered", "USD", "Who paid", worse="higher")
def uncovered_usd(run: RunTables) -> float | None:
    """Part of the gross bad debt that nobody had paid when the run ended."""
    return _paid(run, "uncovered")


@venue_metric("Deficit at outside prices, end", "USD", "Who paid", worse="higher")
def outside_deficit_end_usd(run: RunTables) -> float | None:
    """What traders owed at the end beyond their positions and collateral, valued at outside prices."""
    return float(run.blocks["outside_deficit"].iloc[-1])


@venue_metric("Insurance fund, start", "USD", "Who paid")
def insurance_fund_start_usd(run: RunTables) -> float | None:
    """Balance of the insurance fund at the end of the first block."""
    return float(run.blocks["insurance_fund"].iloc[0])


@venue_metric("Insurance fund, low", "USD", "Who paid", worse="lower")
def insurance_fund_low_usd(run: RunTables) -> float | None:
    """Lowest balance of the insurance fund at a block end."""
    return float(run.blocks["insurance_fund"].min())


@venue_metric("Insurance fund, end", "USD", "Who paid", worse="lower")
def insurance_fund_end_usd(run: RunTables) -> float | None:
    """Balance of the insurance fund at the end of the last block."""
    return float(run.blocks["insurance_fund"].iloc[-1])


@venue_metric("Vault equity, start", "USD", "Who paid")
def vault_equity_start_usd(run: RunTables) -> float | None:
    """Equity of the vault at the end of the first block."""
    return float(run.blocks["vault_equity"].iloc[0])


@venue_metric("Vault equity, end", "USD", "Who paid", worse="lower")
def vault_equity_end_usd(run: RunTables) -> float | None:
    """Equity of the vault at the end of the last block, after deposits and withdrawals."""
    return float(run.blocks["vault_equity"].iloc[-1])


@venue_metric("Vault loss share", "1", "Who paid", worse="higher")
def vault_loss_share(run: RunTables) -> float | None:
    """Loss of the vault's depositors over what they held at the start; negative when they gained."""
    depositors = run.agents[run.agents["role"] == "depositors"]
    return _ratio(-float(depositors["pnl"].sum()), float(depositors["equity_start"].sum()))


@venue_metric("Deleveraged", "USD", "Who paid", worse="higher")
def deleveraged_usd(run: RunTables) -> float | None:
    """Notional of positions closed by auto-deleveraging, counted once for each pair."""
    return float(run.deleverages["notional_usd"].sum())


@venue_metric("Deleveraged counterparties", "accounts", "Who paid", worse="higher")
def deleveraged_counterparties(run: RunTables) -> float | None:
    """Number of different accounts whose positions were closed to close a bankrupt one's."""
    return float(run.deleverages["counterparty"].nunique())


@venue_metric("Haircut of counterparties", "USD", "Who paid", worse="higher")
def adl_haircut_usd(run: RunTables) -> float | None:
    """Loss of deleveraged counterparties against the mark price; negative when they gained."""
    return float(run.deleverages["haircut_usd"].sum())


@venue_metric("Deleveraged over liquidated", "1", "Who paid", worse="higher")
def adl_liquidation_ratio(run: RunTables) -> float | None:
    """Deleveraged notional over liquidated notional."""
    return _ratio(deleveraged_usd(run) or 0.0, liquidated_usd(run) or 0.0)


@venue_metric("Time to first deleveraging", "s", "Who paid")
def time_to_adl_seconds(run: RunTables) -> float | None:
    """Time from the first liquidation order to the first auto-deleveraging, to the block."""
    if run.liquidations.empty or run.deleverages.empty:
        return None
    waited = pd.Timestamp(run.deleverages["time"].min()) - pd.Timestamp(run.liquidations["time"].min())
    return float(waited.total_seconds())


@venue_metric("Most accounts liquidatable", "accounts", "Venue health", worse="higher")
def liquidatable_max(run: RunTables) -> float | None:
    """Largest number of accounts below maintenance at a block end."""
    return float(run.blocks["liquidatable"].max())


@venue_metric("Longest liquidation backlog", "s", "Venue health", worse="higher")
def backlog_longest_seconds(run: RunTables) -> float | None:
    """Longest time in which every block ended with an account below maintenance."""
    waiting = run.blocks["liquidatable"].to_numpy() > 0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], waiting, [False]))))
    runs = edges[1::2] - edges[::2]
    return float(runs.max() * run.block_seconds) if len(runs) else 0.0


@venue_metric("Truncated blocks", "blocks", "Venue health", worse="higher")
def truncated_blocks(run: RunTables) -> float | None:
    """Number of blocks whose limits on liquidation stopped it before all accounts were served."""
    return float(run.blocks["truncated"].sum())


@venue_metric("Time with withdrawals gated", "1", "Venue health", worse="higher")
def withdrawals_gated_share(run: RunTables) -> float | None:
    """Share of blocks at whose end nobody could withdraw."""
    return float(run.blocks["withdrawals_gated"].mean())


@venue_metric("Largest negative equity", "USD", "Venue health", worse="higher")
def negative_equity_max_usd(run: RunTables) -> float | None:
    """Largest sum of negative account equity standing open at a block end."""
    return float(run.blocks["negative_equity"].max())


@venue_metric("Peak gas price", "gwei", "Venue health", worse="higher")
def gas_peak_gwei(run: RunTables) -> float | None:
    """Highest gas price of a block."""
    return float(run.blocks["gas"].max())


@venue_metric("Accounts ruined", "accounts", "Profit and loss", worse="higher")
def ruined_accounts(run: RunTables) -> float | None:
    """Number of liquidated accounts that ended with less than 1 % of what they had brought."""
    return float(run.agents["ruined_accounts"].sum())
