"""Edge cases of liquidation under every preset, worked by hand from its rules: gaps, funds, limits, fees.

Unless a test says otherwise ALICE is long 1,000 lots from 100 USD. `test_edge_cases` lists them all.
"""

import numpy as np
import pytest
from preset_venue import (
    COLLATERAL,
    ORDER_BOOKS,
    PRESETS,
    against,
    borne,
    liquidate,
    opened,
    tell,
)
from venue import ALICE, BOB, CAROL, DAVE, equity, hold, quote, risk, usd

from protocol.book import FEES, INSURANCE, VAULT
from protocol.collateral import deposit_asset
from protocol.exchange import Exchange
from protocol.scan import liquidatable

pytestmark = pytest.mark.kernel


def gap(preset: str, *, to: float = 95.0, quotes: int = 0, **purses: float) -> Exchange:
    """ALICE has 3,000 USD behind 1,000 lots, so nothing at 97; the price jumps past it, debt 2,000 USD."""
    exchange = opened(preset, 3_000, 1e6, 1e6, 1e6, 1e6, pool=1e6, **purses)
    hold(exchange, ALICE, against(exchange), 1_000)
    if quotes:
        quote(exchange, CAROL, (quotes, 94))
    tell(exchange, to, 50, time=60.0)
    return exchange


GAPS = {
    "dydx_v4": ({"auto_deleveraging": usd(2_000)}, 3_000),
    "hyperliquid": ({"auto_deleveraging": usd(2_000)}, 3_000),
    "drift": ({"insurance_fund": usd(1_000), "socialised_loss": usd(1_950)}, 5_000 - 975),
    "gmx_v2": ({"liquidity_pool": usd(2_000) - 2}, 3_000),
    "synthetix_v3": ({"liquidity_pool": usd(2_000)}, 3_000 - 28.5),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_gap_through_the_bankruptcy_price_is_borne_in_the_venues_order(preset: str) -> None:
    """2,000 USD of debt; Drift's keeper takes 1 % of 95,000 more, of which its fund pays 1,000 and keeps a
    micro, and 2,000 lots share the rest; at GMX the rebate of 3e-11 · 95,000 USD is 2 micro; at Synthetix
    the pool pays the keeper 0.03 % of 95,000 too."""
    exchange = gap(preset, insurance=1_000.000001)
    other = against(exchange)
    cascade = liquidate(exchange, CAROL, rounds=12)
    stages, gained = GAPS[preset]

    assert borne(cascade) == stages
    assert risk(exchange, ALICE)[0] == 0
    assert equity(exchange, other) == 1e6 + gained
    assert exchange.book.cash[INSURANCE] == usd(1_000) + 1 - stages.get("insurance_fund", 0)
    exchange.check(1, 0)


@pytest.mark.parametrize(("short", "filled", "deleveraged"), [(0, -100, 0), (1, 0, -1_000)])
def test_a_fund_that_just_reaches_spares_the_other_side_and_one_micro_less_does_not(
    short: int, filled: int, deleveraged: int
) -> None:
    """A slice of 10 % meets a bid at 94; at the bankruptcy price of 97 it lacks 100 · 3 USD."""
    exchange = gap("dydx_v4", quotes=100, insurance=300 - short / 1e6)
    cascade = liquidate(exchange)

    assert cascade.liquidations["filled"].tolist() == [filled]
    assert cascade.deleverages["size"].sum() == deleveraged
    assert exchange.book.cash[INSURANCE] == (0 if short == 0 else usd(300) - 1)
    assert risk(exchange, ALICE)[0] == (usd(-2_000) * 9 // 10 if short == 0 else 0)
    exchange.check(1, 0)


@pytest.mark.parametrize(
    ("fund", "paid", "shared"), [(0, 0, 2_950_000_000), (-1, 2_949_999_998, 2), (1, 2_950_000_000, 0)]
)
def test_drifts_fund_keeps_its_last_micro(fund: int, paid: int, shared: int) -> None:
    """The debt is 2,950 USD with the keeper's discount; `fund` is what it has beyond, in micro-USD."""
    has = 2_950 + fund / 1e6 if fund else 1e-6
    exchange = gap("drift", insurance=has)
    found = borne(liquidate(exchange, CAROL, rounds=12))

    assert (found.get("insurance_fund", 0), found.get("socialised_loss", 0)) == (paid, shared)
    assert exchange.book.cash[INSURANCE] == usd(has) - paid == 1
    exchange.check(1, 0)


@pytest.mark.parametrize(
    ("vault", "stage"), [(87_500.0, "backstop_vault"), (87_499.99998, "auto_deleveraging")]
)
def test_hyperliquids_liquidator_takes_over_what_its_part_bears_and_not_for_a_micro_less(
    vault: float, stage: str
) -> None:
    """It has 5 % of the vault, of which 2,000 are lost and 2.5 % of 95,000 must stay: 4,375 USD."""
    exchange = gap("hyperliquid", vault=vault)
    cascade = liquidate(exchange)

    assert borne(cascade) == {stage: usd(2_000)}
    assert exchange.book.size[0, exchange.backstop.liquidator] == (1_000 if stage == "backstop_vault" else 0)
    exchange.check(1, 0)


def test_one_lot_filled_puts_deleveraging_off_by_a_block_at_dydx() -> None:
    """The lot sold at 94 lacks 3 USD to 97; the next block of the venue finds no bid."""
    exchange = gap("dydx_v4", quotes=1, insurance=3)
    cascade = liquidate(exchange, rounds=2)

    assert cascade.liquidations["filled"].tolist() == [-1, 0]
    assert cascade.deleverages[["round", "size"]].tolist() == [(1, -999)]
    assert borne(cascade) == {"insurance_fund": usd(3), "auto_deleveraging": usd(1_998)}
    assert exchange.book.cash[ALICE] == 0


def test_bids_do_not_put_deleveraging_off_at_hyperliquid() -> None:
    exchange = gap("hyperliquid", quotes=1)
    cascade = liquidate(exchange)

    assert cascade.liquidations["filled"].tolist() == [0]
    assert cascade.deleverages["size"].tolist() == [-1_000]


def test_the_last_user_of_a_market_bears_all_of_drifts_loss() -> None:
    """ALICE stands against the AMM, so the keeper is the only user left: 2,950 USD on its 1,000 lots."""
    exchange = opened("drift", 3_000, 1e6, 1e6, pool=1e6)
    tell(exchange, 95, 50, time=60.0)
    hold(exchange, ALICE, int(exchange.book.counterparty[0]), 1_000)
    before = equity(exchange, int(exchange.book.counterparty[0]))
    cascade = liquidate(exchange, CAROL, rounds=12)

    assert borne(cascade) == {"socialised_loss": usd(2_950)}
    assert equity(exchange, CAROL) == 1e6 + 950 - 2_950
    assert equity(exchange, int(exchange.book.counterparty[0])) == before
    exchange.check(1, 0)


LEFT = {
    "dydx_v4": 0,
    "hyperliquid": usd(1),
    "drift": usd(1) - usd(0.99) - 9_405,
    "gmx_v2": usd(1) - 39_600 - 198_000,
    "synthetix_v3": 0,
}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_position_of_one_lot_is_closed_whole(preset: str) -> None:
    """At 99, 1 USD is left of 2. dYdX's fund takes the surplus, less than 1.5 %; Drift's keeper 1 % and its
    fund 95 ppm, 95 % of what 4 % leave over the shortage of 3.95; GMX 4 bp and 0.2 %; Synthetix all."""
    exchange = opened(preset, 2, 1e6, 1e6, pool=1e6)
    hold(exchange, ALICE, against(exchange), 1)
    tell(exchange, 99, 50, time=60.0)
    if preset in ORDER_BOOKS:
        quote(exchange, CAROL, (1, 99))
    liquidate(exchange, CAROL)

    assert exchange.book.size[0, ALICE] == 0
    assert exchange.book.cash[ALICE] == LEFT[preset]
    exchange.check(1, 0)


def crowd(preset: str, accounts: int = 60) -> Exchange:
    """Accounts of 100 lots at 100 each, all below maintenance, the later the worse; a maker comes last."""
    margins = np.linspace(20, 10, accounts)
    chosen = ("liquidation.attempts=50",) if preset == "hyperliquid" else ()
    exchange = opened(preset, *margins, 1e7, pool=1e7, overrides=chosen)
    other = ALICE + accounts if against(exchange) == BOB else against(exchange)
    for account in range(ALICE, ALICE + accounts):
        hold(exchange, account, other, 100)
    return exchange


@pytest.mark.parametrize("preset", PRESETS)
def test_a_block_of_the_venue_liquidates_no_more_than_fifty(preset: str) -> None:
    """dYdX and GMX start at a drawn place, Hyperliquid, cut to fifty, with the worst, Drift's keepers compete
    for room; at Synthetix windows of lots bind, not attempts."""
    exchange = crowd(preset)
    failing = liquidatable(exchange.book, exchange.parameters)
    cascade = liquidate(exchange, ALICE + 60, ticket=55)
    tried = np.unique(cascade.liquidations["account"])

    assert len(failing) == 60
    assert len(tried) == (60 if preset == "synthetix_v3" else 50)
    if preset in ("dydx_v4", "gmx_v2"):
        assert tried.tolist() == sorted(np.roll(failing, -(55 % 60))[:50].tolist())
    if preset == "hyperliquid":
        assert tried.tolist() == failing[10:].tolist()
    exchange.check(1, 0)


@pytest.mark.parametrize("preset", ORDER_BOOKS)
def test_a_failing_vault_is_sold_into_the_book_like_anybody(preset: str) -> None:
    """1,000 lots with 1,000 USD are below 1.2 % of dYdX and 1.25 % of Hyperliquid; a tenth, or all, is sold
    at 100, and dYdX's fund takes what the tenth leaves over the bankruptcy price: 100 lots · 1 USD."""
    exchange = opened(preset, 1e6, 1e6, vault=1_000)
    hold(exchange, VAULT, ALICE, 1_000)
    quote(exchange, BOB, (1_000, 100))
    cascade = liquidate(exchange)
    sold, taken = {"dydx_v4": (100, usd(100)), "hyperliquid": (1_000, 0)}[preset]

    assert cascade.liquidations["account"].tolist() == [VAULT]
    assert exchange.book.size[0, VAULT] == 1_000 - sold
    assert exchange.book.cash[INSURANCE] == taken
    assert risk(exchange, VAULT)[0] == usd(1_000) - taken
    exchange.check(1, 0)


@pytest.mark.parametrize("preset", ORDER_BOOKS)
def test_a_vault_in_debt_is_deleveraged_and_its_shares_are_worth_nothing(preset: str) -> None:
    """It cannot take itself over; 2,000 USD of debt are ALICE's loss, and nobody gets money for shares."""
    exchange = opened(preset, 1e6, 1e6)
    exchange.buy_shares(BOB, VAULT, usd(3_000))
    hold(exchange, VAULT, ALICE, 1_000)
    tell(exchange, 95, 50, time=60.0)
    cascade = liquidate(exchange)

    assert borne(cascade) == {"auto_deleveraging": usd(2_000)}
    assert (exchange.book.cash[VAULT], exchange.book.size[0, VAULT]) == (0, 0)
    assert exchange.sell_shares(BOB, VAULT, usd(3_000)) == 0
    exchange.check(1, 0)


def hedged(preset: str, cash: float) -> Exchange:
    """BOB is short bitcoin against ALICE and long ether against DAVE; then ALICE's price jumps to 95."""
    exchange = opened(preset, 3_000, cash, 1e6, 1e6)
    hold(exchange, ALICE, BOB, 1_000)
    hold(exchange, BOB, DAVE, 2_000, 50, market=1)
    tell(exchange, 95, 50, time=60.0)
    return exchange


@pytest.mark.parametrize("preset", ORDER_BOOKS)
def test_deleveraging_that_takes_one_leg_leaves_the_other_naked(preset: str) -> None:
    """BOB earns 3 USD a lot at 97 and stands with ether alone, with half of the margin requirement."""
    exchange = hedged(preset, 10_000)
    before = risk(exchange, BOB)
    liquidate(exchange)
    rate = exchange.parameters.maintenance

    assert exchange.book.size[:, BOB].tolist() == [0, 2_000]
    assert before[2] == 95_000 * rate[0] + 100_000 * rate[1]
    assert risk(exchange, BOB) == (usd(13_000), 100_000 * exchange.parameters.initial[1], 100_000 * rate[1])
    exchange.check(1, 0)


@pytest.mark.parametrize(("preset", "taken"), [("dydx_v4", 0), ("hyperliquid", 1_000)])
def test_a_hedger_whom_one_leg_would_bankrupt_is_skipped_or_forced(preset: str, taken: int) -> None:
    """BOB has 2,600 USD at 95, and 600 if he is closed at 97: from 111 % of dYdX's maintenance to 50 %, which
    its rule forbids; Hyperliquid leaves out only whom it would make bankrupt."""
    exchange = hedged(preset, -2_400)
    liquidate(exchange)

    assert exchange.book.size[0, BOB] == taken - 1_000
    exchange.check(1, 0)


MAINTENANCE = {
    "dydx_v4": 120,
    "hyperliquid": 125,
    "drift": 300,
    "gmx_v2": 50 + 6,
    "synthetix_v3": 15 + 10_000 * 0.28 * (0.02 + 1.54 * 100 / 12_500) + 3,
}


@pytest.mark.parametrize("preset", PRESETS)
def test_an_asset_that_depegs_takes_its_owner_below_maintenance(preset: str) -> None:
    """100 units of ether at nine tenths behind 100 lots at 100 USD: the last price that holds is a ninetieth
    of the requirement, and one micro-USD less does not. GMX counts 6 bp of exit cost, Synthetix 3 USD of
    reward."""
    exchange = opened(preset, 0, 1e6, 1e6, pool=1e6, overrides=(COLLATERAL,))
    deposit_asset(exchange.book, ALICE, 1, 100)
    hold(exchange, ALICE, against(exchange), 100)
    needed = round(MAINTENANCE[preset] * 1e6)
    last = -(-needed // 90)
    exchange.book.oracle[1] = last
    safe = liquidatable(exchange.book, exchange.parameters).tolist()
    exchange.book.oracle[1] = last - 1

    assert risk(exchange, ALICE)[2] == needed
    assert safe == []
    assert liquidatable(exchange.book, exchange.parameters).tolist() == [ALICE]


@pytest.mark.parametrize("preset", PRESETS)
def test_nobody_bears_a_loss_while_the_owner_has_an_asset_that_covers_it(preset: str) -> None:
    """Bitcoin falls to 95.8, a loss of 420 USD, and 95.8 more with Drift's discount. 100 ether at 5.2 USD, at
    5.7 there, count for nine tenths, too little to hold 9,580; sold at 5 % below the oracle they pay all."""
    ether = 5.7 if preset == "drift" else 5.2
    exchange = opened(preset, 0, 1e6, 1e6, pool=1e6, overrides=(COLLATERAL,), prices=(100, ether))
    deposit_asset(exchange.book, ALICE, 1, 100)
    hold(exchange, ALICE, against(exchange), 100)
    tell(exchange, 95.8, ether, time=60.0)
    if preset in ORDER_BOOKS:
        quote(exchange, CAROL, (100, 95.8))
    failing = liquidatable(exchange.book, exchange.parameters).tolist()
    cascade = liquidate(exchange, CAROL, rounds=30)

    assert failing == [ALICE]
    assert len(cascade.liquidations) > 0
    assert borne(cascade) == {}
    exchange.check(1, 0)


PAYERS = {
    "dydx_v4": (60, {"account": -6, "other": 5, "fees": 0, "fund": 1, "pool": 0}),
    "hyperliquid": (62.5, {"account": -50, "other": 50 - 1.4925, "fees": 1.4925, "fund": 0, "pool": 0}),
    "drift": (296, {"account": -14, "other": 7, "fees": 0, "fund": 7, "pool": 0}),
    "gmx_v2": (50, {"account": -24, "other": 0, "fees": 8.88, "fund": 0, "pool": 15.12}),
    "synthetix_v3": (100, {"account": -100, "other": 3, "fees": 0, "fund": 0, "pool": 97}),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_each_venue_charges_a_liquidation_to_whom_its_rule_says(preset: str) -> None:
    """100 lots at 100 USD. dYdX: half of maintenance is left, so 10 lots sold at 99.5 bring 1 USD over the
    bankruptcy price, and the maker's rebate is withheld. Hyperliquid: all goes at 99.5, the maker pays
    1.5 bp. Drift: 204 are lacking to 5 %, which 68 lots bring at 3 % after 1 % each for keeper and fund; a
    tenth of that is due at once, 7 lots. GMX: 4 bp and 0.2 %, of which 37 % leave the pool. Synthetix: the
    pool gets all, the keeper 0.03 %."""
    margin, changes = PAYERS[preset]
    exchange = opened(preset, margin, 1e6, 1e6, pool=1e6)
    hold(exchange, ALICE, against(exchange), 100)
    if preset in ORDER_BOOKS:
        quote(exchange, CAROL, (100, 99.5))
    pool = int(exchange.book.counterparty[0])
    names = {"account": ALICE, "other": CAROL, "fees": FEES, "fund": INSURANCE, "pool": pool}
    before = {name: risk(exchange, account)[0] for name, account in names.items()}
    liquidate(exchange, CAROL)
    after = {name: risk(exchange, account)[0] for name, account in names.items()}

    assert {name: after[name] - before[name] for name in names} == {
        name: usd(value) for name, value in changes.items()
    }
    exchange.check(1, 0)


def test_a_window_smaller_than_a_lot_closes_one_and_not_everything() -> None:
    """12,500 lots at 5.01 bp, 0.005 and 30 s are 0.94 lots in a window."""
    exchange = opened("synthetix_v3", 6_000, 1e6, 1e6, pool=1e6, overrides=("liquidation.capacity=0.005",))
    hold(exchange, ALICE, against(exchange), 1_000)
    tell(exchange, 96, 50, time=60.0)

    assert liquidate(exchange, CAROL, rounds=30).liquidations["filled"].tolist() == [-1]
