"""What a user's own agent returns, checked column by column before the venue executes it."""

from typing import Any, NamedTuple

import numpy as np

from agents.role import BUY_SHARES, DEPOSIT, DEPOSIT_ASSET, SELL_SHARES, Actions, Hedges, Transfers, View
from protocol.book import VAULT, Ints, Mask
from protocol.orders import IMMEDIATE, POST_ONLY, REST, Orders

LARGEST = 2**53
POOL_KINDS = (REST, IMMEDIATE, POST_ONLY)


def checked(returned: object, view: View, accounts: Ints) -> Actions:
    """The actions that a user's agent returned; orders alone are actions too.

    Raises
    ------
    TypeError
        For anything but `Actions` or `Orders` of whole columns of one length.
    ValueError
        For accounts of others, markets that do not exist, and numbers that mean nothing.
    """
    actions = Actions(orders=returned) if isinstance(returned, Orders) else returned
    if not isinstance(actions, Actions):
        raise TypeError(f"Actions or Orders are expected, got {type(returned).__name__}")
    _check_orders(actions.orders, view, accounts)
    _check_transfers(actions.transfers, view, accounts)
    _check_hedges(actions.hedges, view, accounts)
    for name, column in (
        ("leaving", actions.leaving),
        ("senders", actions.senders),
        ("offers.account", actions.offers.account),
    ):
        _require_whole(name, column)
        _require_own(name, column, accounts)
    return actions


def _check_orders(wanted: Orders, view: View, accounts: Ints) -> None:
    _require_columns("orders", wanted, floating=())
    _require_own("orders.account", wanted.account, accounts)
    _require_market("orders.market", wanted.market, view)
    countable = (wanted.size > -LARGEST) & (wanted.size < LARGEST)
    _require("an order's size must be less than 2^53 lots", countable, wanted.size)
    _require("an order's limit must not be negative", wanted.limit >= 0, wanted.limit)
    known = (wanted.kind >= 0) & (wanted.kind <= 4) if view.rests else np.isin(wanted.kind, POOL_KINDS)
    _require("the venue must know an order's kind", known, wanted.kind)


def _check_transfers(wanted: Transfers, view: View, accounts: Ints) -> None:
    _require_columns("transfers", wanted, floating=())
    _require_own("transfers.account", wanted.account, accounts)
    _require("an amount must be positive", wanted.amount > 0, wanted.amount)
    known = (wanted.kind >= DEPOSIT) & (wanted.kind <= DEPOSIT_ASSET)
    _require("a transfer must be one of the five kinds", known, wanted.kind)
    shares = np.isin(wanted.kind, (BUY_SHARES, SELL_SHARES))
    purses = np.append(view.book.counterparty, VAULT)
    _require("shares are of the vault or a pool", ~shares | np.isin(wanted.target, purses), wanted.target)
    assets = wanted.kind == DEPOSIT_ASSET
    _require_market("transfers.target", wanted.target[assets], view)
    paid = np.where(assets, wanted.amount * view.outside[wanted.target * assets], wanted.amount.astype(float))
    spent = np.zeros(len(view.outside_cash))
    np.add.at(spent, wanted.account, paid * (assets | (wanted.kind == DEPOSIT)))
    enough = spent <= np.maximum(view.outside_cash, 0)
    _require("what is deposited must lie in the wallet [micro-USD]", enough[accounts], spent[accounts])


def _check_hedges(wanted: Hedges, view: View, accounts: Ints) -> None:
    _require_columns("hedges", wanted, floating=("lots",))
    _require_own("hedges.account", wanted.account, accounts)
    _require_market("hedges.market", wanted.market, view)
    _require("a hedge must be a finite number of lots", np.isfinite(wanted.lots), wanted.lots)


def _require_columns(name: str, rows: NamedTuple, floating: tuple[str, ...]) -> None:
    """Every column is an array of whole numbers, or of numbers where that is meant, all of one length."""
    columns: dict[str, Any] = rows._asdict()
    for key, column in columns.items():
        _require_whole(f"{name}.{key}", column, floating=key in floating)
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{key} {len(column)}" for key, column in columns.items())
        raise TypeError(f"the columns of {name} must have one length, got {lengths}")


def _require_whole(name: str, column: object, floating: bool = False) -> None:
    kinds = "iubf" if floating else "iub"
    if not isinstance(column, np.ndarray) or column.ndim != 1 or column.dtype.kind not in kinds:
        kind = "numbers" if floating else "whole numbers"
        found = f"{column.dtype} of shape {column.shape}" if isinstance(column, np.ndarray) else repr(column)
        raise TypeError(f"{name} must be an array of {kind}, (k,), got {found}")


def _require_own(name: str, column: Ints, accounts: Ints) -> None:
    rule = f"{name} must be among its own accounts {accounts[0]} to {accounts[-1]}"
    _require(rule, np.isin(column, accounts), column)


def _require_market(name: str, column: Ints, view: View) -> None:
    known = (column >= 0) & (column < len(view.markets))
    _require(f"{name} must be a number from 0 to {len(view.markets) - 1}", known, column)


def _require(rule: str, holds: Mask, values: Any) -> None:
    if not holds.all():
        raise ValueError(f"{rule}, got {values[int(np.argmin(holds))]}")
