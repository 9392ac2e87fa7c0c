"""What trading may do to the venue: fills explain every change, and respect fees, caps and margin."""

from collections.abc import Callable

import numpy as np

from protocol.admission import at_fill_margin, transition_allowed
from protocol.arithmetic import PPM, ppm_ceil
from protocol.book import VAULT, Ints, Mask, Rows, first_trader
from protocol.exchange import Exchange
from protocol.laws.audit import Snapshot, held_by, listed, moved, unsettled_of
from protocol.laws.invariants import crowded_accounts
from protocol.margin import initial_rate
from protocol.scan import accounts_risk
from protocol.venues.impact_pool import ImpactPool
from protocol.venues.skew_pool import SkewPool

TradeLaw = Callable[[Snapshot, Exchange, Rows], str]


def fills_explain_positions(before: Snapshot, exchange: Exchange, fills: Rows) -> str:
    """Every change of a position is a fill, and every fill has two sides."""
    change = moved(before, exchange)
    np.subtract.at(change, (fills["market"], fills["taker"]), fills["size"])
    np.add.at(change, (fills["market"], fills["maker"]), fills["size"])
    return listed(held_by(change))


def fills_explain_cash(before: Snapshot, exchange: Exchange, fills: Rows) -> str:
    """A trader's cash changes by the fills, their fees, and the funding that was owed, to the last unit."""
    change = exchange.book.cash - before.book.cash
    touched = np.zeros(len(change), np.bool_)
    touched[fills["taker"]] = touched[fills["maker"]] = True
    change[touched] -= unsettled_of(before.book)[touched]
    np.add.at(change, fills["taker"], fills["quote"] + fills["taker_fee"])
    np.add.at(change, fills["maker"], fills["maker_fee"] - fills["quote"])
    first = first_trader(len(before.book.mark))
    return listed(change[first:] != 0, first)


def fee_rates(exchange: Exchange, markets: Ints) -> Ints:
    """Lowest and highest rate that a taker pays in some markets, (2, k) [ppm].

    A pool asks less of who balances it: the skew pool its maker's rate, the impact pool a rate of its own.
    """
    venue, parameters = exchange.venue, exchange.parameters
    rates = np.array([[parameters.taker_fee], [parameters.taker_fee]])
    if isinstance(venue, SkewPool):
        rates[0] = parameters.maker_fee
    if isinstance(venue, ImpactPool):
        rates = np.stack([venue.parameters.fee_improves[markets], venue.parameters.fee_worsens[markets]])
    ordered: Ints = np.sort(np.broadcast_to(rates, (2, len(markets))), axis=0)
    return ordered


def taker_fees_keep_their_rates(before: Snapshot, exchange: Exchange, fills: Rows) -> str:
    """A taker pays its rate, rounded up, and the reward of a settlement, if the venue has one.

    A pool charges the fee on the notional before price impact, which is no part of the record, so that the
    smaller and the larger of notional and quote bound it.
    """
    venue, quote = exchange.venue, np.abs(fills["quote"])
    notional = np.abs(fills["size"]) * exchange.book.oracle[fills["market"]]
    bounds = (np.minimum(quote, notional), np.maximum(quote, notional)) if venue.automated else (quote, quote)
    reward = venue.parameters.settlement_reward if isinstance(venue, SkewPool) else 0
    columns = (fills["taker_fee"] - reward, *bounds, *fee_rates(exchange, fills["market"]))
    for fee, least, most, low, high in zip(*(column.tolist() for column in columns), strict=True):
        ends = [ppm_ceil(paid, rate) for paid in (least, most) for rate in (low, high)]
        if not min(ends) <= fee <= max(ends):
            return f"fee {fee} on {least} to {most}, rates {low} to {high} ppm"
    return ""


def maker_fees_keep_their_rate(before: Snapshot, exchange: Exchange, fills: Rows) -> str:
    """A maker pays its rate, or receives it, rounded up; a counterparty of the venue is no maker."""
    made = fills[fills["maker"] >= first_trader(len(exchange.book.mark))]
    for fee, quote in zip(made["maker_fee"].tolist(), np.abs(made["quote"]).tolist(), strict=True):
        if fee != ppm_ceil(quote, exchange.parameters.maker_fee):
            return f"fee {fee} on {quote}, rate {exchange.parameters.maker_fee} ppm"
    return ""


def fills_respect_margin(before: Snapshot, exchange: Exchange, fills: Rows) -> str:
    """Who traded ends above initial margin, or was below it and is no riskier.

    On a venue with a pool a trade that only reduces a position has to be no riskier, whatever came before.
    Accounts with positions whose rate of margin has changed under them are left out, and so are those that
    have both made and taken where the two are judged by different requirements.
    """
    book, parameters = exchange.book, exchange.parameters
    risk = accounts_risk(book, parameters)
    taking, making = np.unique(fills["taker"]), np.unique(fills["maker"])
    reducing, shaken = exchange.venue.automated, unsteady(before, exchange, fills)
    first = first_trader(len(book.mark))
    for account in np.union1d(taking, making):
        if (account < first and account != VAULT) or shaken[account]:
            continue
        was, now = tuple(before.risk[:, account].tolist()), tuple(risk[:, account].tolist())
        if account in making:
            if account in taking and parameters.fill_share < PPM:
                continue
            was, now = at_fill_margin(parameters, was), at_fill_margin(parameters, now)
        allowed = transition_allowed(was, now) or (reducing and no_riskier(was, now))
        if not allowed:
            return f"account {account}: equity, initial, maintenance {was}, then {now}"
    return ""


def no_riskier(was: tuple[int, int, int], now: tuple[int, int, int]) -> bool:
    """Whether the maintenance requirement is not higher, and equity over it not lower."""
    return now[2] <= was[2] and now[0] * was[2] >= was[0] * now[2]


def unsteady(before: Snapshot, exchange: Exchange, fills: Rows) -> Mask:
    """Accounts with a position in a market whose initial rate may have moved with open interest, (n,) bool.

    Between the two ends of a phase open interest was at the least what it was before less all lots traded.
    """
    book, parameters = exchange.book, exchange.parameters
    shaken = np.zeros(len(book.cash), np.bool_)
    rising = (parameters.open_interest_upper > 0) | (parameters.open_interest_slope > 0)
    for market in np.flatnonzero(rising).tolist():
        then, now = (int(each.open_interest[market]) for each in (before.book, book))
        traded = int(np.abs(fills["size"][fills["market"] == market]).sum())
        rates = {
            initial_rate(parameters, market, lots * int(book.mark[market]))
            for lots in (max(then - traded, 0), then, now)
        }
        if len(rates) > 1:
            shaken |= (before.book.size[market] != 0) | (book.size[market] != 0)
    return shaken


def open_interest_keeps_its_cap(before: Snapshot, exchange: Exchange, fills: Rows) -> str:
    """Trading raises no open interest above the cap."""
    book, cap = exchange.book, exchange.parameters.open_interest_cap
    raised = book.open_interest > before.book.open_interest
    over = (cap > 0) & raised & (book.open_interest * book.mark > cap)
    return f"markets {np.flatnonzero(over).tolist()}" if over.any() else ""


def nobody_trades_alone(before: Snapshot, exchange: Exchange, fills: Rows) -> str:
    """A fill has two owners."""
    alone = fills["taker"] == fills["maker"]
    return f"accounts {fills['taker'][alone].tolist()}" if alone.any() else ""


def isolated_positions_stand_alone(before: Snapshot, exchange: Exchange, fills: Rows) -> str:
    """An isolated position has its account to itself."""
    crowded = crowded_accounts(exchange.book, exchange.parameters)
    return f"accounts {crowded.tolist()}" if len(crowded) else ""


TRADE_LAWS: tuple[TradeLaw, ...] = (
    fills_explain_positions,
    fills_explain_cash,
    taker_fees_keep_their_rates,
    maker_fees_keep_their_rate,
    fills_respect_margin,
    open_interest_keeps_its_cap,
    nobody_trades_alone,
    isolated_positions_stand_alone,
)


def broken_by_trade(before: Snapshot, exchange: Exchange, fills: Rows) -> list[str]:
    """Laws that the fills, (k,) FILL, of a phase of trading have broken."""
    return [f"{law.__name__}: {said}" for law in TRADE_LAWS if (said := law(before, exchange, fills))]
