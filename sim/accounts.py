"""What each account brought, has, gained and lost in a run, and what it held when the run began."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protocol.arithmetic import MICRO
from protocol.book import VAULT, Floats, Ints, first_trader
from protocol.liquidations.record import TAKEN_OVER
from sim.governance.attack_tables import token_worth
from sim.record import Recorder

PROFIT = (
    "equity_start",
    "equity_end",
    "net_deposits",
    "venue_pnl",
    "outside_pnl",
    "gas_paid",
    "owed",
    "liquidated",
    "ruined",
)


def profits(recorder: Recorder) -> pd.DataFrame:
    """What every account gained, by the columns of PROFIT and the two that make profit [USD].

    In equity assets count as the venue counts them, and deposits are cash. Profit takes assets at what
    they are worth outside, when they come and at the end: bringing one is neither gain nor loss. Profit is
    `wealth_end` less `wealth_start`: what an account owns, its shares and assets in full and what it holds
    outside with it. An attacker's tokens count at what their sale would bring.
    """
    exchange, outside = recorder.model.exchange, recorder.model.outside
    had = with_shares(recorder, recorder.start_worth, recorder.start_shares)
    has = with_shares(recorder, recorder.worth(), exchange.book.shares)
    deposits = exchange.deposited - recorder.start_deposits
    sent = deposits + exchange.brought - recorder.start_brought
    gained = recorder.outside_worth() - recorder.start_outside + sent + token_worth(recorder.model)
    liquidated = was_liquidated(recorder)
    columns = {
        "equity_start": with_shares(recorder, recorder.start_equity, recorder.start_shares) / MICRO,
        "equity_end": with_shares(recorder, recorder.equity(), exchange.book.shares) / MICRO,
        "net_deposits": deposits / MICRO,
        "venue_pnl": (has - had - sent) / MICRO,
        "outside_pnl": (gained + outside.gas_paid) / MICRO,
        "gas_paid": outside.gas_paid / MICRO,
        "owed": np.maximum(-has, 0) / MICRO,
        "liquidated": liquidated,
        "ruined": liquidated & (has < 0.01 * (had + np.maximum(sent, 0))),
        "brought": (had + sent) / MICRO,
        "wealth_start": (had + recorder.start_outside) / MICRO,
        "wealth_end": (has + recorder.outside_worth() + token_worth(recorder.model)) / MICRO,
    }
    return pd.DataFrame(columns)


def was_liquidated(recorder: Recorder) -> NDArray[np.bool_]:
    """Of which accounts a liquidation closed, or the vault took over, some position; (n,)."""
    found = np.zeros(len(recorder.start_equity), np.bool_)
    for _, orders in recorder.events["liquidations"].parts():
        found[orders["account"][(orders["filled"] != 0) | (orders["outcome"] == TAKEN_OVER)]] = True
    return found


def with_shares(recorder: Recorder, owned: Ints, shares: Ints) -> Floats:
    """What accounts own, (n,), with their shares, (m + 1, n), in the vault and pools among them."""
    exchange = recorder.model.exchange
    worth = owned[exchange.purses]
    liquidator = exchange.backstop.liquidator
    worth[0] += owned[liquidator] if liquidator != VAULT else 0
    total = shares.sum(axis=1)
    price = np.divide(worth, total, out=np.zeros(len(worth)), where=total > 0)
    value: Floats = owned + price @ shares
    return value


def account_frame(recorder: Recorder, roles: NDArray[np.object_], gained: pd.DataFrame) -> pd.DataFrame:
    """One row for each trader: what it brought, has, gained, and how it was treated [USD].

    `gained` is what `profits` says of the accounts.
    `pnl` is `wealth_end` less `wealth_start`. `shares_start` is the part of its equity that was in the vault
    and in pools, `maintenance_start` what its first positions asked for. `deleveraged_usd` and `haircut_usd`
    are of its own positions that closed somebody else's; `socialised_usd` is what the last resort has charged
    it, NaN where that comes by the funding index and cannot be told from funding.
    """
    own = gained.copy()
    own["pnl"] = own["venue_pnl"] + own["outside_pnl"] - own["gas_paid"]
    own["shares_start"] = own["equity_start"] - recorder.start_equity / MICRO
    own["maintenance_start"] = recorder.start_maintenance / MICRO
    given = np.zeros((2, len(own)))
    for _, rows in recorder.events["deleverages"].parts():
        for total, amount in zip(given, (np.abs(rows["quote"]), rows["haircut"]), strict=True):
            np.add.at(total, rows["counterparty"], amount / MICRO)
    own["deleveraged_usd"], own["haircut_usd"] = given
    waterfall = recorder.model.exchange.waterfall
    own["socialised_usd"] = waterfall.charged / MICRO if waterfall.rules.last_resort != "index" else np.nan
    own.insert(0, "account", np.arange(len(own), dtype=np.int32))
    own.insert(1, "role", roles)
    return own.iloc[first_trader(len(recorder.model.units.names)) :].reset_index(drop=True)


def position_frame(recorder: Recorder, names: NDArray[np.str_]) -> pd.DataFrame:
    """One row for each position, and each asset, that an account held when the run began.

    `size` [base unit] and `notional_usd` are signed, long > 0; `asset_usd` is the market's asset that the
    account has as collateral, in full at the oracle price.
    """
    size, assets = recorder.start_size, recorder.start_collateral
    market, account = np.nonzero((size != 0) | (assets != 0))
    columns = {
        "account": account.astype(np.int32),
        "market": pd.Categorical.from_codes(market, pd.Index(names)),
        "size": size[market, account] * recorder.model.units.lot[market],
        "notional_usd": size[market, account] * (recorder.start_mark[market] / MICRO),
        "asset_usd": assets[market, account] * (recorder.start_oracle[market] / MICRO),
    }
    return pd.DataFrame(columns)
