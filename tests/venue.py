"""Small venues for the tests of `protocol/`: one lot is one unit of base, prices are in USD."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from protocol.arithmetic import MICRO, PPM
from protocol.book import INSURANCE, VAULT, Ints, Rows, exchange_position, first_trader, open_book
from protocol.carry.accrual import AccrualRules
from protocol.carry.premium_funding import PremiumRule
from protocol.collateral import INITIAL_MARGIN, WithdrawalRule
from protocol.exchange import Exchange
from protocol.liquidations.slices import Slices
from protocol.losses.backstop import ONE_PURSE
from protocol.losses.deleveraging import Deleveraging
from protocol.losses.journal import Cascade
from protocol.losses.waterfall import WaterfallRules
from protocol.margin import account_risk
from protocol.orders import IMMEDIATE, POST_ONLY, REST, orders
from protocol.parameters import RiskParameters, flat_margins
from protocol.prices.mark import MarkRule
from protocol.prices.oracle import calm_reading
from protocol.prices.pricing import PricingRules
from protocol.rules import Rules
from protocol.venues.depth import resting_orders
from protocol.venues.ladder import open_ladder
from protocol.venues.limit_book import LimitBook

MOST_MARKETS = 4
ALICE, BOB, CAROL, DAVE, ERIN = range(first_trader(MOST_MARKETS), first_trader(MOST_MARKETS) + 5)
TICK = 0.01
FOREVER = 1 << 40

DYDX = {
    "taker_fee": 0,
    "maker_fee": 0,
    "liquidation_share": 100_000,
    "liquidation_minimum": 1_000 * MICRO,
    "liquidation_maximum": 100_000 * MICRO,
    "bankruptcy_adjustment": PPM,
    "spread_to_maintenance": 1_500_000,
    "liquidation_fee": 15_000,
    "insurance_loss": 1_000_000 * MICRO,
    "backstop_trigger": 0,
    "backstop_loss_share": 100_000,
    "backstop_reserve": PPM,
}


def integers(*values: float) -> Ints:
    """An int64 column."""
    return np.array(values, np.int64)


def usd(amount: float) -> int:
    """Micro-USD of an amount in USD, or of a price in USD per lot."""
    return round(amount * MICRO)


def parameters(markets: int = 1, **changes: Any) -> RiskParameters:
    """dYdX's Large-Cap tier and liquidation rules without trading fees; numbers in ppm and micro-USD."""
    tier = {
        "initial": 20_000,
        "maintenance": 12_000,
        "open_interest_lower": 0,
        "open_interest_upper": 0,
        "impact_notional": usd(10_000),
    }
    columns = {name: integers(*[changes.pop(name, value)] * markets) for name, value in tier.items()}
    everything: dict[str, Any] = flat_margins(markets) | columns | DYDX | changes
    return RiskParameters(**everything)


def chosen_rules(
    markets: int = 1,
    mark: str = "oracle",
    backstop: str = "none",
    adl: str = "queue",
    adl_price: str = "bankruptcy",
    adl_attempts: int = 10,
    adl_counterparties: int = 500,
    last_resort: str = "gate",
    withdrawal_gate: int = 50,
    funding_interval: int = 3600,
    withdrawal: WithdrawalRule = INITIAL_MARGIN,
) -> Rules:
    """dYdX's rules, some of them replaced by name."""
    gap, default = integers(*[8_000] * markets), integers(*[0] * markets)
    deleveraging = Deleveraging(adl, adl_price, False, adl_counterparties)
    return Rules(
        prices=PricingRules(mark=MarkRule(mark)),
        accrual=AccrualRules(PremiumRule(gap, default, interval=funding_interval)),
        round_seconds=1.0,
        waterfall=WaterfallRules(
            backstop=ONE_PURSE if backstop == "takeover" else None,
            deleveraging=None if adl == "none" else deleveraging,
            attempts=adl_attempts,
            rescues_partial=False,
            last_resort=last_resort,
        ),
        withdrawal_gate=withdrawal_gate,
        withdrawal=withdrawal,
        vault_lock=0.0,
        pool_lock=0.0,
    )


def venue(
    *deposits: float,
    prices: tuple[float, ...] = (100.0,),
    insurance: float = 0,
    vault: float = 0,
    rules: dict[str, Any] | None = None,
    attempts: int = 50,
    **changes: Any,
) -> Exchange:
    """A venue whose traders, from ALICE on, and whose fund and vault have brought these deposits [USD]."""
    opening, tick = integers(*map(usd, prices)), integers(*[usd(TICK)] * len(prices))
    book = open_book(ALICE + max(len(deposits), 5), opening)
    chosen = chosen_rules(len(prices), **(rules or {}))
    limit_book = LimitBook(open_ladder(tick, opening, capacity=8))
    engine = Slices(limit_book, attempts)
    exchange = Exchange(book, limit_book, engine, parameters(len(prices), **changes), chosen, 0.0)
    for account, amount in enumerate(deposits, start=ALICE):
        exchange.deposit(account, usd(amount))
    exchange.deposit(INSURANCE, usd(insurance))
    exchange.deposit(VAULT, usd(vault))
    return exchange


def place(
    exchange: Exchange,
    account: int,
    size: int,
    price: float = 0,
    *,
    market: int = 0,
    kind: int | None = None,
    reduce_only: bool = False,
    expiry: int = FOREVER,
    block: int = 0,
) -> Rows:
    """Send one order (resting unless it has no price); returns the fills."""
    chosen = kind if kind is not None else (REST if price else IMMEDIATE)
    batch = orders(
        integers(account), market, integers(size), usd(price), chosen, reduce_only=reduce_only, expiry=expiry
    )
    return exchange.trade(batch, nobody(exchange), block, integers(0))


def quote(exchange: Exchange, account: int, *levels: tuple[int, float], market: int = 0) -> None:
    """Rest post-only orders, each (signed lots, price)."""
    for size, price in levels:
        place(exchange, account, size, price, market=market, kind=POST_ONLY)


def nobody(exchange: Exchange) -> np.ndarray:
    """A mask of accounts, none chosen."""
    return np.zeros(len(exchange.book.cash), np.bool_)


def hold(
    exchange: Exchange, account: int, against: int, size: int, price: float = 100.0, market: int = 0
) -> None:
    """Give `account` a position of `size` lots against another account, past every margin rule."""
    exchange_position(exchange.book, account, against, market, size, size * usd(price))


def set_price(exchange: Exchange, price: float, market: int = 0) -> None:
    """Move oracle and mark at once."""
    exchange.book.oracle[market] = exchange.book.mark[market] = usd(price)


def update(exchange: Exchange, price: float, time: float = 60.0) -> None:
    """Move the outside price and let the oracle and the mark follow."""
    exchange.observe(60.0)
    exchange.update_prices(calm_reading(integers(usd(price))), time)


def risk(exchange: Exchange, account: int) -> tuple[int, int, int]:
    """Equity, initial and maintenance requirement [micro-USD]."""
    return account_risk(exchange.book, exchange.parameters, account)


def equity(exchange: Exchange, account: int) -> float:
    """Equity [USD]."""
    return risk(exchange, account)[0] / MICRO


def liquidate(exchange: Exchange, rounds: int = 1, ticket: int = 0, time: float = 0.0) -> Cascade:
    """Run liquidation rounds, every lottery drawing `ticket`."""
    return exchange.liquidate(time, rounds, np.full(rounds, ticket))


def resting(exchange: Exchange, side: int, market: int = 0) -> list[tuple[int, int, float]]:
    """Orders of one side as (account, lots, price), the best first."""
    orders = resting_orders(exchange.venue.ladder, 2 * market + side)
    return [(int(each["account"]), int(each["size"]), int(each["price"]) / MICRO) for each in orders]


def reference(name: str) -> Any:
    """A section of the numbers taken from dYdX v4."""
    text = (Path(__file__).parent / "reference" / "dydx_v4.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)[name]
