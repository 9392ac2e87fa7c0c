"""The twenty-two invariants and where each is checked; the laws of a state name what is planted against them.

Most laws are checked after every phase of every block of the campaigns in `test_campaign`. What concerns a
phase and its records stands in `audit`, `trade_audit` and `cascade_audit`, each with planted violations in
the test of its name; what is a property of a function is a property test beside that function.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from venue import ALICE, BOB, CAROL, DAVE, hold, integers, liquidate, place, quote, update, usd, venue

from protocol.book import (
    CLEARING,
    DEPOSITS,
    FEES,
    FUNDING_SCALE,
    INSURANCE,
    VAULT,
    WITHDRAWALS,
    Book,
    balances,
    exchange_position,
    move_cash,
    settle_funding,
)
from protocol.exchange import Exchange
from protocol.laws.audit import broken_by_prices, broken_by_transfers, snapshot
from protocol.laws.cascade_audit import broken_by_cascade
from protocol.laws.invariants import LAWS, InvariantError, crowded_accounts, unsettled, violated
from protocol.laws.trade_audit import broken_by_trade
from protocol.orders import IMMEDIATE, POST_ONLY, REST
from protocol.scan import accounts_risk, liquidatable
from protocol.venues.ladder import BID
from sim.streams import stream

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).resolve().parent.parent
FEES_AND_TRIGGER = {"taker_fee": 500, "maker_fee": -110, "backstop_trigger": 666_667}

STATE, AUDIT, TRADE, CASCADE = (
    f"protocol/laws/{name}.py" for name in ("invariants", "audit", "trade_audit", "cascade_audit")
)
WHERE: dict[int, tuple[str, list[str]]] = {
    1: ("collateral", [f"{STATE}::cash_conserved", f"{STATE}::collateral_conserved"]),
    2: (
        "positions",
        [
            f"{STATE}::positions_sum_to_zero",
            f"{STATE}::open_interest_is_long_size",
            f"{STATE}::purses_hold_no_positions",
            f"{TRADE}::fills_explain_positions",
            f"{CASCADE}::records_explain_positions",
        ],
    ),
    3: (
        "profit and loss is zero-sum",
        [
            f"{TRADE}::fills_explain_cash",
            f"{AUDIT}::positions_stay",
            "tests/test_margin.py::test_a_price_move_is_a_transfer_of_equity",
            "tests/test_invariants.py::equity_is_what_came_in",
        ],
    ),
    4: (
        "funding",
        [
            f"{STATE}::funding_never_minted",
            f"{AUDIT}::funding_waits_for_its_account",
            "tests/test_funding.py::test_users_and_their_counterparty_never_gain_from_rounding",
            "tests/test_premium_funding.py::test_the_premium_rule_stays_within_six_margin_gaps",
            "tests/test_premium_funding.py::test_a_side_without_depth_makes_no_premium",
            "tests/test_skew_funding.py::test_time_with_an_empty_side_is_never_paid",
        ],
    ),
    5: (
        "fees",
        [
            f"{TRADE}::taker_fees_keep_their_rates",
            f"{TRADE}::maker_fees_keep_their_rate",
            f"{CASCADE}::slices_keep_their_limits",
        ],
    ),
    6: (
        "insurance",
        [
            f"{STATE}::insurance_fund_not_negative",
            f"{CASCADE}::insurance_moves_as_recorded",
            f"{CASCADE}::funds_pay_who_has_nothing_left",
            f"{CASCADE}::slices_keep_their_limits",
        ],
    ),
    7: (
        "margin of voluntary acts",
        [f"{TRADE}::fills_respect_margin", f"{AUDIT}::leavers_keep_their_margin"],
    ),
    8: (
        "liquidations",
        [
            f"{CASCADE}::only_failing_accounts_are_liquidated",
            f"{CASCADE}::liquidations_stay_within_their_orders",
            f"{CASCADE}::forced_trades_only_reduce",
            "tests/test_slices.py::"
            "test_a_liquidation_never_flips_the_position_nor_lowers_the_ratio_nor_overdraws_the_fund",
            "tests/test_slices.py::test_a_bankrupt_account_partly_closed_keeps_its_share_of_the_debt",
            "tests/test_transfers.py::test_a_liquidation_never_flips_grows_or_worsens_a_position",
        ],
    ),
    9: (
        "fills at the bankruptcy price",
        ["tests/test_slices.py::test_the_bankruptcy_price_takes_exactly_the_slices_share_of_equity"],
    ),
    10: (
        "auto-deleveraging",
        [
            f"{CASCADE}::deleveraging_is_opposite",
            f"{CASCADE}::deleveraging_keeps_its_price",
            f"{CASCADE}::deleveraged_at_bankruptcy_end_with_nothing",
            f"{CASCADE}::bystanders_bear_only_what_is_shared",
            "tests/test_deleveraging.py::"
            "test_deleveraging_conserves_and_spares_everybody_without_an_opposite_position",
        ],
    ),
    11: (
        "open interest",
        [f"{STATE}::open_interest_is_long_size", f"{CASCADE}::open_interest_is_not_raised"],
    ),
    12: (
        "margin rates",
        [
            "tests/test_margin.py::test_the_initial_rate_never_falls_with_open_interest_and_stays_in_bounds",
            "tests/test_margin.py::test_open_interest_raises_initial_margin_and_never_changes_maintenance",
            "tests/test_margin.py::test_tiered_margins_are_continuous_and_never_fall_with_notional",
            f"{TRADE}::open_interest_keeps_its_cap",
        ],
    ),
    13: (
        "price impact",
        [
            "tests/test_impact_pool.py::test_a_round_trip_at_one_price_costs_at_least_the_fees",
            "tests/test_impact_pool.py::test_money_positions_and_the_purse_are_kept",
            "tests/test_campaign.py::test_a_round_trip_costs_at_least_its_fees",
        ],
    ),
    14: (
        "skew pricing",
        [
            "tests/test_skew_pool.py::test_orders_in_sequence_cost_what_one_of_their_sum_costs",
            "tests/test_skew_pool.py::test_a_round_trip_costs_the_fees_and_nothing_else",
            "tests/test_campaign.py::test_a_round_trip_costs_at_least_its_fees",
        ],
    ),
    15: (
        "virtual AMM",
        [
            "tests/test_curve.py::test_the_product_of_the_reserves_is_constant_between_revisions",
            "tests/test_repeg.py::test_the_books_balance_against_the_curve_whatever_happens",
            "tests/test_campaign.py::test_a_round_trip_costs_at_least_its_fees",
        ],
    ),
    16: (
        "shared losses",
        [
            f"{CASCADE}::bystanders_bear_only_what_is_shared",
            "tests/test_social_loss.py::test_the_charges_are_the_deficit_and_a_dust_of_units",
            "tests/test_social_loss.py::test_by_notional_both_sides_of_all_markets_pay_for_their_size",
        ],
    ),
    17: (
        "withdrawals",
        [
            f"{AUDIT}::gate_holds_withdrawals",
            f"{AUDIT}::withdrawals_come_from_the_pool",
            f"{CASCADE}::debts_close_the_gate",
        ],
    ),
    18: (
        "oracle",
        [
            f"{AUDIT}::feed_runs_forward",
            f"{AUDIT}::guards_refuse_old_prices",
            f"{STATE}::prices_are_positive",
            "tests/test_oracle.py::test_the_weighted_median_is_the_lower_middle_of_all_units_of_weight",
        ],
    ),
    19: ("governance: bounds", [f"{AUDIT}::parameters_within_bounds"]),
    20: (
        "governance: joint constraints",
        [
            f"{AUDIT}::parameters_within_bounds",
            "tests/test_parameters.py::test_a_broken_constraint_is_named_with_its_values",
        ],
    ),
    21: (
        "determinism",
        [
            "tests/test_campaign.py::test_a_world_is_the_same_in_any_process",
            "tests/test_invariants.py::test_renaming_accounts_renames_the_cascade",
            "tests/test_orderbook.py::test_renaming_accounts_renames_the_outcome",
        ],
    ),
    22: (
        "scale",
        [
            "tests/test_margin.py::test_scaling_all_prices_and_balances_scales_all_risk",
            "tests/test_funding.py::test_prices_times_a_factor_make_payments_times_the_factor",
        ],
    ),
}


def test_every_invariant_has_its_place() -> None:
    assert list(WHERE) == list(range(1, 23))
    for number, (_, places) in WHERE.items():
        for place_of in places:
            file, name = place_of.split("::")
            assert re.search(rf"^ *def {name}\(", (ROOT / file).read_text(), re.MULTILINE), (number, place_of)


def sound() -> Exchange:
    """A venue in use: positions, quotes, funding behind, assets, a vault with shares."""
    exchange = venue(1e4, 1e4, 1e4, prices=(100, 50), insurance=100, vault=1_000)
    hold(exchange, ALICE, BOB, 30)
    hold(exchange, CAROL, VAULT, 7, 50, market=1)
    quote(exchange, ALICE, (5, 99), (-5, 101))
    exchange.book.funding[:] += 777
    exchange.book.shares[0, ALICE] = exchange.book.issued[0] = usd(1_000)
    exchange.book.collateral[1, BOB] = exchange.book.asset_flows[DEPOSITS, 1] = 10
    return exchange


def mint_cash(exchange: Exchange) -> None:
    exchange.book.cash[ALICE] += 1


def mint_an_asset(exchange: Exchange) -> None:
    exchange.book.collateral[0, ALICE] += 1


def owe_an_asset(exchange: Exchange) -> None:
    exchange.book.collateral[1, (ALICE, BOB)] = -1, 11


def mint_position(exchange: Exchange) -> None:
    settle_funding(exchange.book, BOB)
    exchange.book.size[0, BOB] -= 1


def miscount_interest(exchange: Exchange) -> None:
    exchange.book.open_interest[1] += 1


def trade_with_a_purse(exchange: Exchange) -> None:
    exchange_position(exchange.book, INSURANCE, BOB, 0, 1, 0)
    exchange.book.entry[0, INSURANCE] = 1.0


def trade_with_the_counterparty_of_another_market(exchange: Exchange) -> None:
    exchange_position(exchange.book, int(exchange.book.counterparty[1]), BOB, 0, 1, usd(100))


def forget_an_entry(exchange: Exchange) -> None:
    exchange.book.entry[0, ALICE] = 0.0


def remember_an_entry(exchange: Exchange) -> None:
    exchange.book.entry[1, ALICE] = 50.0


def overdraw_fund(exchange: Exchange) -> None:
    move_cash(exchange.book, INSURANCE, ALICE, usd(100) + 1)


def overdraw_a_fund_of_one_market(exchange: Exchange) -> None:
    exchange.book.fund[1] = int(exchange.book.impact[1])
    move_cash(exchange.book, int(exchange.book.impact[1]), ALICE, 1)


def rebate_without_fees(exchange: Exchange) -> None:
    move_cash(exchange.book, FEES, ALICE, 1)


def pay_out_clearing(exchange: Exchange) -> None:
    move_cash(exchange.book, CLEARING, ALICE, 1)


def own_negative_shares(exchange: Exchange) -> None:
    exchange.book.shares[0, BOB] = -1


def give_a_purse_shares(exchange: Exchange) -> None:
    exchange.book.shares[1, VAULT] = 1


def lose_the_oracle(exchange: Exchange) -> None:
    exchange.book.oracle[1] = 0


def lose_the_mark(exchange: Exchange) -> None:
    exchange.book.mark[0] = -1


def ask_for_more_than_everything(exchange: Exchange) -> None:
    exchange.book.own_initial[CAROL] = 1_000_001


def cross_the_book(exchange: Exchange) -> None:
    exchange.venue.ladder.side["base"][BID] -= 200


VIOLATIONS = [
    (mint_cash, "cash_conserved"),
    (mint_an_asset, "collateral_conserved"),
    (owe_an_asset, "collateral_conserved"),
    (mint_position, "positions_sum_to_zero"),
    (miscount_interest, "open_interest_is_long_size"),
    (trade_with_a_purse, "purses_hold_no_positions"),
    (trade_with_the_counterparty_of_another_market, "purses_hold_no_positions"),
    (forget_an_entry, "entries_belong_to_positions"),
    (remember_an_entry, "entries_belong_to_positions"),
    (overdraw_fund, "insurance_fund_not_negative"),
    (overdraw_a_fund_of_one_market, "insurance_fund_not_negative"),
    (rebate_without_fees, "fees_not_negative"),
    (pay_out_clearing, "funding_never_minted"),
    (own_negative_shares, "shares_belong_to_depositors"),
    (give_a_purse_shares, "shares_belong_to_depositors"),
    (lose_the_oracle, "prices_are_positive"),
    (lose_the_mark, "prices_are_positive"),
    (ask_for_more_than_everything, "chosen_margin_is_a_rate"),
    (cross_the_book, "book_is_not_crossed"),
]


def test_a_sound_venue_breaks_nothing() -> None:
    exchange = sound()

    assert violated(exchange.book, exchange.venue) == []
    exchange.check(1, 2)


@pytest.mark.parametrize(("plant", "name"), VIOLATIONS, ids=lambda item: getattr(item, "__name__", None))
def test_a_planted_violation_is_named(plant: Callable[[Exchange], None], name: str) -> None:
    exchange = sound()
    plant(exchange)
    found = violated(exchange.book, exchange.venue)

    assert [line.split(":")[0] for line in found] == [name]


def test_every_law_of_a_state_has_a_violation() -> None:
    assert {law.__name__ for law in LAWS} == {name for _, name in VIOLATIONS} - {"book_is_not_crossed"}


def test_the_error_names_block_seed_and_every_violation() -> None:
    exchange = sound()
    mint_cash(exchange)
    lose_the_oracle(exchange)
    with pytest.raises(InvariantError, match=r"block 17, seed 4: cash_conserved: .*; prices_are_positive"):
        exchange.check(17, 4)


def test_a_one_sided_book_is_not_crossed() -> None:
    exchange = venue(1e4)
    quote(exchange, ALICE, (5, 99))

    assert violated(exchange.book, exchange.venue) == []


def test_unsettled_funding_of_both_sides_cancels_as_the_index_moves() -> None:
    exchange = sound()
    before = unsettled(exchange.book)
    exchange.book.funding[:] += 12_345

    assert before == unsettled(exchange.book) == 0


def test_only_an_isolated_position_with_another_beside_it_is_crowded() -> None:
    exchange = sound()
    hold(exchange, BOB, CAROL, 3, 50, market=1)
    cross, isolated = (np.array(each) for each in ([False, False], [True, False]))

    assert crowded_accounts(exchange.book, exchange.parameters._replace(isolated=cross)).tolist() == []
    assert crowded_accounts(exchange.book, exchange.parameters._replace(isolated=isolated)).tolist() == [BOB]


CROWD = 12
WHOLE = {"liquidation_share": 1_000_000, "liquidation_maximum": usd(1e12)}


def failing_crowd(seed: int) -> Exchange:
    """Longs and shorts of one market after a move, quotes that some of them can still meet, a vault."""
    rng = stream(seed, "failing crowd")
    exchange = venue(
        *rng.uniform(100, 2_000, CROWD),
        insurance=rng.choice([0, 50, 5_000]),
        vault=3_000,
        rules={"backstop": "takeover", "adl": "ranked", "last_resort": "socialise"},
        **WHOLE,
        **FEES_AND_TRIGGER,
    )
    sizes = 1 + rng.permutation(500)[: CROWD // 2]
    for account, size in zip(range(ALICE, ALICE + CROWD, 2), sizes.tolist(), strict=True):
        hold(exchange, account, account + 1, size)
    price = float(rng.uniform(70, 130))
    update(exchange, price)
    side = 1 if price < 100 else -1
    for account in range(ALICE + (price < 100), ALICE + CROWD, 2):
        lots = side * int(rng.integers(1, 40))
        quote(exchange, account, (lots, round(price * (1 - side * rng.uniform(0, 0.02)), 2)))
    return exchange


def renamed(book: Book, names: np.ndarray) -> Book:
    """The book in which account `names[k]` is what account k was."""
    new = Book._make(column.copy() for column in book)
    for old, column in zip(book, new, strict=True):
        if column.shape[-1] == len(names):
            column[..., names] = old
    return new


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32))
def test_renaming_accounts_renames_the_cascade(seed: int) -> None:
    one, other = failing_crowd(seed), failing_crowd(seed)
    names = np.arange(len(one.book.cash))
    names[ALICE:] = ALICE + stream(seed, "names").permutation(CROWD)
    for column, new in zip(other.book, renamed(one.book, names), strict=True):
        column[...] = new
    order = other.venue.ladder.order
    order["account"] = names[order["account"]]
    cascade = liquidate(one, rounds=6)
    liquidate(other, rounds=6)
    assume((cascade.liquidations["filled"] != 0).any())

    for column, expected in zip(balances(other.book), balances(renamed(one.book, names)), strict=True):
        np.testing.assert_array_equal(column, expected)


class Venue(RuleBasedStateMachine):
    """A venue driven by arbitrary acts of four traders; a failure shrinks to the acts that it needs."""

    @initialize(
        adl=st.sampled_from(["queue", "ranked", "pro_rata", "none"]),
        resort=st.sampled_from(["gate", "socialise", "index"]),
    )
    def open(self, adl: str, resort: str) -> None:
        self.exchange = venue(
            500,
            500,
            5_000,
            5_000,
            insurance=100,
            vault=3_000,
            rules={"adl": adl, "last_resort": resort, "backstop": "takeover"},
            initial=100_000,
            maintenance=50_000,
            impact_notional=usd(500),
            **WHOLE,
            **FEES_AND_TRIGGER,
        )
        self.exchange.book.shares[0, DAVE] = self.exchange.book.issued[0] = usd(3_000)
        self.time = 0.0

    @rule(
        account=st.integers(ALICE, DAVE) | st.just(VAULT),
        size=st.integers(-60, 60).filter(bool),
        gap=st.integers(-300, 300),
        kind=st.sampled_from([REST, IMMEDIATE, POST_ONLY]),
        reduce_only=st.booleans(),
    )
    def order(self, account: int, size: int, gap: int, kind: int, reduce_only: bool) -> None:
        price = max(self.exchange.book.mark[0] / 1e6 * (1 + gap / 1e4), 0.01)
        before = snapshot(self.exchange)
        fills = place(self.exchange, account, size, price, kind=kind, reduce_only=reduce_only)

        assert broken_by_trade(before, self.exchange, fills) == []

    @rule(factor=st.sampled_from([0.5, 0.8, 0.93, 0.97, 1.03, 1.07, 1.25, 2.0]))
    def move_price(self, factor: float) -> None:
        self.time += 60.0
        before = snapshot(self.exchange)
        update(self.exchange, self.exchange.book.oracle[0] / 1e6 * factor, self.time)

        assert broken_by_prices(before, self.exchange) == []

    @rule(seconds=st.sampled_from([60, 3_600]))
    def pay_funding(self, seconds: int) -> None:
        self.time += seconds
        self.exchange.observe(float(seconds))
        self.exchange.advance_funding(self.time)

    @precondition(lambda self: len(liquidatable(self.exchange.book, self.exchange.parameters)) > 0)
    @rule(ticket=st.integers(0, 100), rounds=st.integers(1, 4))
    def liquidate(self, ticket: int, rounds: int) -> None:
        before = snapshot(self.exchange)
        cascade = liquidate(self.exchange, rounds, ticket, self.time)

        assert len(cascade.liquidations) > 0
        assert broken_by_cascade(before, self.exchange, cascade) == []

    @rule(account=st.integers(ALICE, DAVE), amount=st.integers(1, usd(2_000)))
    def withdraw(self, account: int, amount: int) -> None:
        before = snapshot(self.exchange)

        assert 0 <= self.exchange.withdraw(account, amount, self.time) <= amount
        assert broken_by_transfers(before, self.exchange) == []

    @rule(account=st.integers(ALICE, DAVE), amount=st.integers(1, usd(500)))
    def top_up(self, account: int, amount: int) -> None:
        self.exchange.deposit(account, amount)

    @rule(account=st.integers(ALICE, DAVE), amount=st.integers(1, usd(1_000)), joining=st.booleans())
    def visit_the_vault(self, account: int, amount: int, joining: bool) -> None:
        before = snapshot(self.exchange)
        act = self.exchange.buy_shares if joining else self.exchange.sell_shares

        assert act(account, VAULT, amount) >= 0
        assert broken_by_transfers(before, self.exchange) == []

    @rule(initial=st.sampled_from([60_000, 100_000, 300_000]))
    def govern(self, initial: int) -> None:
        self.exchange.enact(self.exchange.parameters._replace(initial=integers(initial)))

    @invariant()
    def holds(self) -> None:
        self.exchange.check(0, 0)

    @invariant()
    def equity_is_what_came_in(self) -> None:
        book = self.exchange.book
        worth = int(accounts_risk(book, self.exchange.parameters)[0].sum())
        under_way = -(-unsettled(book) // FUNDING_SCALE)
        missing = int(book.flows[DEPOSITS] - book.flows[WITHDRAWALS]) - worth + under_way

        assert 0 <= missing <= len(book.cash)


TestVenue = Venue.TestCase
TestVenue.settings = settings(max_examples=60, stateful_step_count=50)
