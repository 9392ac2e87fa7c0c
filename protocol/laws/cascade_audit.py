"""What the liquidation phase may do to the venue: who is closed, by how much, and who pays.

An account whose own orders rest in a book, or who takes positions over, trades in the cascades of others too;
the laws about single positions leave it out.
"""

from collections.abc import Callable

import numpy as np

from protocol.arithmetic import ppm_floor
from protocol.book import INSURANCE, Ints, Mask, first_trader
from protocol.exchange import Exchange
from protocol.laws.audit import Snapshot, closing_engine, held_by, listed, moved
from protocol.liquidations.collateral_sales import CollateralSales
from protocol.liquidations.record import SOLD, TAKEN_OVER
from protocol.liquidations.slices import Slices
from protocol.losses.journal import INSURANCE_FUND, SOCIALISED_LOSS, Cascade
from protocol.scan import accounts_risk

CascadeLaw = Callable[[Snapshot, Exchange, Cascade], str]


def involved(before: Snapshot, exchange: Exchange, cascade: Cascade) -> Mask:
    """Accounts that may trade in the cascades of others, and the venue's own, (n,) bool."""
    found = before.resting.copy()
    found[: first_trader(len(before.book.mark))] = True
    keepers = cascade.liquidations["keeper"]
    found[keepers[keepers >= 0]] = True
    return found


def taken_over(before: Snapshot, cascade: Cascade) -> Mask:
    """Accounts that the backstop took over, (n,) bool."""
    rows = cascade.liquidations
    found = np.zeros(len(before.book.cash), np.bool_)
    found[rows["account"][rows["outcome"] == TAKEN_OVER]] = True
    return found


def recorded(before: Snapshot, cascade: Cascade) -> Ints:
    """What liquidation and deleveraging have changed, by their records, (m, n) [lots]."""
    change = np.zeros_like(before.book.size)
    rows, closed = cascade.liquidations, cascade.deleverages
    np.add.at(change, (rows["market"], rows["account"]), rows["filled"])
    np.add.at(change, (closed["market"], closed["account"]), closed["size"])
    np.subtract.at(change, (closed["market"], closed["counterparty"]), closed["size"])
    return change


def records_explain_positions(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """Nobody's position changes but by a liquidation, a takeover, deleveraging, or an order of their own."""
    unexplained = moved(before, exchange) - recorded(before, cascade)
    free = involved(before, exchange, cascade) | taken_over(before, cascade)
    return listed(held_by(unexplained) & ~free)


def only_failing_accounts_are_liquidated(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """Below maintenance at the price that the engine used, in the first round at that of the snapshot."""
    rows = cascade.liquidations[~before.flagged[cascade.liquidations["account"]]]
    _, first = np.unique(rows["account"], return_index=True)
    rows = rows[np.sort(first)]
    sound = rows["equity"] >= rows["maintenance"]
    at_once = rows["account"][rows["round"] == 0]
    sound_before = before.risk[0, at_once] >= np.maximum(before.risk[2, at_once], 1)
    found = [*rows["account"][sound].tolist(), *at_once[sound_before].tolist()]
    return f"accounts {found}" if found else ""


def liquidations_stay_within_their_orders(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """A liquidation fills no more than it asks for, and on its own side."""
    rows = cascade.liquidations
    beyond = (np.abs(rows["filled"]) > np.abs(rows["size"])) | (rows["filled"] * rows["size"] < 0)
    beyond |= (rows["filled"] != 0) & ((rows["quote"] > 0) != (rows["filled"] > 0)) & (rows["quote"] != 0)
    return f"rows {np.flatnonzero(beyond).tolist()}" if beyond.any() else ""


def forced_trades_only_reduce(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """Liquidated or deleveraged, a position shrinks and never changes its side."""
    change, start = recorded(before, cascade), before.book.size
    grown = (change * start > 0) | (np.abs(change) > np.abs(start))
    return listed(held_by(grown) & ~involved(before, exchange, cascade))


def deleveraging_is_opposite(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """Deleveraging closes lots of two accounts on opposite sides."""
    rows, start = cascade.deleverages, before.book.size
    free = involved(before, exchange, cascade)
    held = start[rows["market"], rows["account"]], start[rows["market"], rows["counterparty"]]
    wrong = (rows["size"] == 0) | (rows["account"] == rows["counterparty"])
    wrong |= ~free[rows["account"]] & (held[0] * rows["size"] >= 0)
    wrong |= ~free[rows["counterparty"]] & (held[1] * rows["size"] <= 0)
    return f"rows {np.flatnonzero(wrong).tolist()}" if wrong.any() else ""


def deleveraging_keeps_its_price(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """A price of whole micro-USD but at bankruptcy; the haircut is what it takes from the counterparty."""
    rule, rows = exchange.rules.waterfall.deleveraging, cascade.deleverages
    wrong = rows["haircut"] != rows["size"] * rows["mark"] - rows["quote"]
    if rule is not None and rule.price == "mark":
        wrong |= rows["haircut"] != 0
    if rule is not None and rule.price != "bankruptcy":
        wrong |= rows["quote"] % np.where(rows["size"] == 0, 1, rows["size"]) != 0
    return f"rows {np.flatnonzero(wrong).tolist()}" if wrong.any() else ""


def deleveraged_at_bankruptcy_end_with_nothing(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """Closed at the bankruptcy price to the last lot, an account keeps the rounding of its fills."""
    rule, rows, book = exchange.rules.waterfall.deleveraging, cascade.deleverages, exchange.book
    if rule is None or rule.price != "bankruptcy":
        return ""
    accounts, fills = np.unique(rows["account"], return_counts=True)
    closed = ~book.size[:, accounts].any(axis=0) & ~involved(before, exchange, cascade)[accounts]
    left = accounts_risk(book, exchange.parameters)[0, accounts]
    wrong = closed & ((left < 0) | (left > fills * len(book.mark)))
    return f"accounts {accounts[wrong].tolist()} keep {left[wrong].tolist()}" if wrong.any() else ""


def insurance_moves_as_recorded(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """Funds change by what liquidations brought and the waterfall paid; shared losses leave dust."""
    funds = np.unique(np.append(exchange.book.fund, INSURANCE))
    change = int((exchange.book.cash[funds] - before.book.cash[funds]).sum())
    brought = int(np.maximum(cascade.liquidations["insurance"], 0).sum() + cascade.sales["insurance"].sum())
    payments = cascade.payments
    paid = int(payments["amount"][payments["stage"] == INSURANCE_FUND].sum())
    dust = int((payments["stage"] == SOCIALISED_LOSS).sum()) * len(before.book.cash)
    if 0 <= change - brought + paid <= dust:
        return ""
    return f"funds changed by {change}, liquidations brought {brought}, payments took {paid}"


def funds_pay_who_has_nothing_left(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """Beyond the fills of a liquidation, a fund pays the debt of an account without position and assets."""
    payments, rows, book = cascade.payments, cascade.liquidations, exchange.book
    covered = payments["account"][payments["stage"] == INSURANCE_FUND]
    covered = np.setdiff1d(covered, rows["account"][rows["insurance"] < 0])
    owner = book.size[:, covered].any(axis=0) | book.collateral[:, covered].any(axis=0)
    return f"accounts {covered[owner].tolist()}" if owner.any() else ""


def slices_keep_their_limits(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """The fund takes no more than the fee of a slice, and pays no more than it may for one account."""
    if not isinstance(closing_engine(exchange), Slices):
        return ""
    rows, parameters = cascade.liquidations, exchange.parameters
    fees = [ppm_floor(quote, parameters.liquidation_fee) for quote in np.abs(rows["quote"]).tolist()]
    wrong = (rows["insurance"] > fees) | (rows["insurance"] < -parameters.insurance_loss)
    return f"rows {np.flatnonzero(wrong).tolist()}" if wrong.any() else ""


def open_interest_is_not_raised(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """Closing somebody opens at most as much for another."""
    raised = exchange.book.open_interest > before.book.open_interest
    return f"markets {np.flatnonzero(raised).tolist()}" if raised.any() else ""


def bystanders_bear_only_what_is_shared(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """Who took no part loses cash only to a loss that all positions share, and only with a position."""
    book, touched = exchange.book, involved(before, exchange, cascade)
    touched[cascade.liquidations["account"]] = touched[cascade.payments["account"]] = True
    touched[cascade.sales["account"]] = True
    touched[cascade.deleverages["account"]] = touched[cascade.deleverages["counterparty"]] = True
    lost = np.where(touched, 0, before.book.cash - book.cash)
    if (lost < 0).any() or (lost[~before.book.size.any(axis=0)] != 0).any():
        return listed(lost != 0)
    shared = cascade.payments["amount"][cascade.payments["stage"] == SOCIALISED_LOSS]
    if int(lost.sum()) > int(shared.sum()) + len(shared) * len(lost):
        return f"bystanders lost {int(lost.sum())}, {int(shared.sum())} was shared"
    return ""


def debts_close_the_gate(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """While somebody whom liquidation has reached owes more than they have, withdrawals rest.

    A mark that moves after the last round, or a loss that is shared after an account's turn, may make a debt
    that the venue sees in the next block only.
    """
    shared = (cascade.payments["stage"] == SOCIALISED_LOSS).any()
    if shared or (exchange.book.mark != before.book.mark).any():
        return ""
    rows = np.concatenate([cascade.liquidations, cascade.sales])
    accounts, first = np.unique(rows["account"], return_index=True)
    gates = exchange.gates.of_markets(exchange.parameters)
    open_still = gates < exchange.prices.time + exchange.rules.withdrawal_gate
    owing = accounts_risk(exchange.book, exchange.parameters)[0, accounts] < 0
    owing &= open_still[rows["market"][first]]
    return f"accounts {accounts[owing].tolist()}" if owing.any() else ""


def takeovers_leave_nothing(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """Taken over, an account has nothing left: no position, no asset, no cash."""
    gone = taken_over(before, cascade)
    book = exchange.book
    left = book.size.any(axis=0) | book.collateral.any(axis=0) | (book.cash != 0)
    return listed(gone & left)


def sales_explain_assets(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """Nobody's assets change but by a sale or a takeover; a seizing pool takes them unrecorded."""
    if not isinstance(exchange.engine, CollateralSales):
        return ""
    change, rows = exchange.book.collateral - before.book.collateral, cascade.sales
    np.subtract.at(change, (rows["market"], rows["account"]), rows["filled"])
    free = taken_over(before, cascade)
    free[: first_trader(len(before.book.mark))] = True
    return listed(held_by(change) & ~free)


def only_failing_accounts_sell(before: Snapshot, exchange: Exchange, cascade: Cascade) -> str:
    """An asset is sold below maintenance, of who has no position or is worth less than nothing."""
    rows = cascade.sales[cascade.sales["outcome"] == SOLD]
    sound = (rows["equity"] >= rows["maintenance"]) | ((rows["maintenance"] > 0) & (rows["equity"] >= 0))
    _, first = np.unique(rows["account"], return_index=True)
    return f"accounts {rows['account'][first][sound[first]].tolist()}" if sound[first].any() else ""


CASCADE_LAWS: tuple[CascadeLaw, ...] = (
    records_explain_positions,
    only_failing_accounts_are_liquidated,
    liquidations_stay_within_their_orders,
    forced_trades_only_reduce,
    deleveraging_is_opposite,
    deleveraging_keeps_its_price,
    deleveraged_at_bankruptcy_end_with_nothing,
    insurance_moves_as_recorded,
    funds_pay_who_has_nothing_left,
    slices_keep_their_limits,
    open_interest_is_not_raised,
    bystanders_bear_only_what_is_shared,
    debts_close_the_gate,
    takeovers_leave_nothing,
    sales_explain_assets,
    only_failing_accounts_sell,
)


def broken_by_cascade(before: Snapshot, exchange: Exchange, cascade: Cascade) -> list[str]:
    """Laws that a phase of liquidations has broken, each with its numbers."""
    return [f"{law.__name__}: {said}" for law in CASCADE_LAWS if (said := law(before, exchange, cascade))]
