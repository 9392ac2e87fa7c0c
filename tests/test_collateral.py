"""What comes in and goes out beside trades: assets, cash behind the rules of withdrawal, own leverage."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from margin_rules import VENUES, books, holding, margin_rules, vectors
from venue import ALICE, BOB, CAROL, integers, parameters, usd

from protocol.arithmetic import PPM
from protocol.book import (
    COUNTERPARTY,
    FEES,
    FUND,
    IMPACT,
    INSURANCE,
    VAULT,
    Book,
    exchange_position,
    market_accounts,
    move_cash,
)
from protocol.collateral import (
    INITIAL_MARGIN,
    WithdrawalRule,
    choose_leverage,
    deposit_asset,
    pool_money,
    withdraw_asset,
    withdrawable,
    withdrawal_surplus,
)
from protocol.margin import account_risk

pytestmark = pytest.mark.kernel

HYPERLIQUID = WithdrawalRule(notional=100_000, gain_weight=PPM)
SETTLED_ONLY = WithdrawalRule(notional=0, gain_weight=0)
WEIGHTS = {"weight_initial": integers(700_000), "weight_maintenance": integers(800_000)}


def assets_held(book: Book) -> list[int]:
    """Units of all accounts, less those that came in and have not gone out again; zeros if sound."""
    counted: list[int] = (book.collateral.sum(axis=1) - book.asset_flows[0] + book.asset_flows[1]).tolist()
    return counted


def test_an_asset_comes_in_and_goes_out() -> None:
    book, rules = holding(0, (0, 2_000)), parameters(**WEIGHTS)
    deposit_asset(book, ALICE, 0, 10)

    assert account_risk(book, rules, ALICE) == (usd(16_000), usd(2_000), 0)
    assert withdraw_asset(book, rules, ALICE, 0, 4) == 4
    assert withdraw_asset(book, rules, ALICE, 0, 7) == 6
    assert withdraw_asset(book, rules, ALICE, 0, 1) == 0
    assert book.asset_flows[:, 0].tolist() == [10, 10]


def test_a_negative_deposit_is_refused_with_its_value() -> None:
    with pytest.raises(ValueError, match=r"lots=-1 \(account 16, market 0\)"):
        deposit_asset(holding(0, (0, 100)), ALICE, 0, -1)


@pytest.mark.parametrize(
    ("debt", "left"),
    [
        (0, 0),
        (1_400, 1),
        (1_400.000001, 2),
        (14_000, 10),
        (13_999, 10),
        (12_600, 9),
        (14_001, 10),
        (20_000, 10),
    ],
)
def test_the_units_that_initial_margin_needs_stay(debt: float, left: int) -> None:
    book, rules = holding(-debt, (0, 2_000)), parameters(**WEIGHTS)
    deposit_asset(book, ALICE, 0, 10)
    withdraw_asset(book, rules, ALICE, 0, 10)

    assert book.collateral[0, ALICE] == left


def test_an_asset_that_does_not_count_may_leave_unless_margin_is_short() -> None:
    book, rules = holding(19, (10, 100)), parameters()
    deposit_asset(book, ALICE, 0, 3)

    assert withdraw_asset(book, rules, ALICE, 0, 3) == 0

    move_cash(book, BOB, ALICE, usd(1))

    assert withdraw_asset(book, rules, ALICE, 0, 3) == 3


@given(books(), st.sampled_from(VENUES), st.integers(0, 1), st.integers(-1, 10**6), st.booleans())
def test_as_many_units_leave_as_the_rule_allows_and_no_more(
    book: Book, kind: str, market: int, lots: int, settled_only: bool
) -> None:
    rules, rule = margin_rules(kind), SETTLED_ONLY if settled_only else HYPERLIQUID
    book.asset_flows[0] = book.collateral.sum(axis=1)
    held, before = int(book.collateral[market, ALICE]), withdrawal_surplus(book, rules, ALICE, rule)
    paid = withdraw_asset(book, rules, ALICE, market, lots, rule)
    after = withdrawal_surplus(book, rules, ALICE, rule)

    assert 0 <= paid <= max(min(lots, held), 0)
    assert assets_held(book) == [0, 0]
    assert after >= 0 or paid == 0
    if before >= 0 and paid < min(lots, held):
        book.collateral[market, ALICE] -= 1
        assert withdrawal_surplus(book, rules, ALICE, rule) < 0


@given(books(), st.sampled_from(VENUES))
def test_the_surplus_is_equity_over_initial_margin_where_no_more_has_to_stay(book: Book, kind: str) -> None:
    rules = margin_rules(kind)
    equity, initial, _ = account_risk(book, rules, ALICE)
    surplus = withdrawal_surplus(book, rules, ALICE, INITIAL_MARGIN)

    assert surplus == equity - initial
    assert withdrawal_surplus(book, rules, ALICE, HYPERLIQUID) <= surplus
    assert withdrawal_surplus(book, rules, ALICE, SETTLED_ONLY) <= surplus


@pytest.mark.parametrize("row", vectors("hyperliquid_withdrawals")["rows"])
def test_a_tenth_of_the_notional_stays_at_hyperliquid(row: dict[str, Any]) -> None:
    rate = -(-PPM // row["leverage"])
    book, rules = holding(row["deposit"], (row["size"], row["entry"])), parameters(initial=rate)
    book.mark[0] = book.oracle[0] = usd(row["price"])

    assert withdrawable(book, rules, ALICE, HYPERLIQUID) == pytest.approx(
        usd(row["withdrawable"]), abs=1 + abs(row["size"]) * row["price"]
    )


def test_an_unrealised_gain_lets_cash_out_unless_it_does_not_count() -> None:
    """Mango, 11 October 2022: 483 million MNGO bought from oneself at 0.038 with 5 million USD each way.

    At 0.91 the long has gained 421 million. Where gains count it may take out nearly all of that from what
    the others have deposited; where they do not, only the rest of its own 5 million.
    """
    lots, rules = 4_830, parameters(initial=100_000, maintenance=50_000)
    book = holding(5e6, (lots, 3_800))
    book.mark[0] = book.oracle[0] = usd(91_000)
    required, gain = lots * usd(9_100), lots * usd(87_200)
    own = usd(5e6) + gain - required

    assert withdrawable(book, rules, ALICE, INITIAL_MARGIN) == own == usd(5e6 + 421_176_000 - 43_953_000)
    assert withdrawable(book, rules, ALICE, SETTLED_ONLY) == 0
    assert withdrawable(book, rules._replace(gain_weight=integers(0)), ALICE, INITIAL_MARGIN) == 0
    assert withdrawable(book, rules._replace(gain_weight=integers(PPM // 2)), ALICE, INITIAL_MARGIN) == (
        own - gain // 2
    )


def test_a_gain_can_be_taken_out_once_it_is_settled() -> None:
    book, rules = holding(1_000, (10, 100)), parameters(initial=100_000, maintenance=50_000)
    book.mark[0] = book.oracle[0] = usd(150)

    assert withdrawable(book, rules, ALICE, SETTLED_ONLY) == usd(1_000 - 150)

    exchange_position(book, BOB, ALICE, 0, 10, 10 * usd(150))

    assert withdrawable(book, rules, ALICE, SETTLED_ONLY) == usd(1_500)


def test_an_unrealised_loss_always_counts() -> None:
    book, rules = holding(1_000, (10, 100)), parameters(initial=100_000, maintenance=50_000)
    book.mark[0] = book.oracle[0] = usd(50)

    assert withdrawable(book, rules, ALICE, SETTLED_ONLY) == usd(1_000 - 500 - 50)


def test_a_gain_that_nobody_has_deposited_cannot_be_taken_out() -> None:
    book, rules = holding(1_000, (10, 100)), parameters()
    book.flows[1] = usd(1e9)
    book.cash[BOB] -= usd(1e9)
    book.mark[0] = book.oracle[0] = usd(400)

    assert account_risk(book, rules, ALICE)[0] == usd(4_000)
    assert withdrawable(book, rules, ALICE, INITIAL_MARGIN) == usd(1_000)


def test_withdrawals_are_never_paid_from_fees_insurance_or_impact_purses() -> None:
    book, rules = holding(1_000, (0, 100), (0, 50)), parameters(2)
    purses = [FEES, INSURANCE, *(int(each) for kind in (IMPACT, FUND) for each in market_accounts(2, kind))]
    before = pool_money(book, rules, ALICE)
    for purse in purses:
        move_cash(book, BOB, purse, usd(7))

    assert before == int(book.cash.sum())
    assert pool_money(book, rules, ALICE) == before - 6 * usd(7)

    move_cash(book, BOB, int(market_accounts(2, COUNTERPARTY)[1]), usd(7))

    assert pool_money(book, rules, ALICE) == before - 6 * usd(7)


def test_what_an_impact_purse_owes_is_nobodys_to_withdraw() -> None:
    book, rules = holding(1_000, (0, 100), (0, 50)), parameters(2)
    before = pool_money(book, rules, ALICE)
    move_cash(book, int(market_accounts(2, IMPACT)[1]), BOB, usd(7))

    assert pool_money(book, rules, ALICE) == before


def test_an_isolated_market_pays_from_what_its_own_holders_brought() -> None:
    rules = parameters(2, isolated=np.array([False, True]))
    book = holding(0, (0, 100), (0, 50))
    book.cash[[VAULT, ALICE, BOB, CAROL]] = usd(9_000), usd(300), usd(500), usd(70)
    book.flows[0] = usd(9_870)
    exchange_position(book, ALICE, BOB, 1, 10, 10 * usd(50))
    book.mark[1] = book.oracle[1] = usd(200)

    assert account_risk(book, rules, ALICE)[0] == usd(1_800)
    assert withdrawable(book, rules, ALICE, INITIAL_MARGIN) == usd(800)
    assert withdrawable(book, rules._replace(isolated=np.zeros(2, bool)), ALICE, INITIAL_MARGIN) == usd(1_760)

    move_cash(book, BOB, VAULT, usd(801))

    assert withdrawable(book, rules, ALICE, INITIAL_MARGIN) == 0
    assert withdrawable(book, rules, CAROL, INITIAL_MARGIN) == usd(70)


@pytest.mark.parametrize("account", [FEES, VAULT, ALICE - 13])
def test_the_accounts_of_the_venue_withdraw_nothing(account: int) -> None:
    book, rules = holding(0, (0, 100)), parameters()
    book.cash[account], book.flows[0] = usd(100), usd(100)

    assert account < ALICE
    assert withdrawable(book, rules, account, INITIAL_MARGIN) == 0


@given(books(), st.sampled_from(VENUES), st.sampled_from([INITIAL_MARGIN, HYPERLIQUID, SETTLED_ONLY]))
def test_what_can_be_taken_out_leaves_initial_margin_and_a_rule_asks_for_more_never_less(
    book: Book, kind: str, rule: WithdrawalRule
) -> None:
    rules = margin_rules(kind, isolated=np.zeros(2, bool))
    book.flows[0] = book.cash.sum() + 10**16
    paid = withdrawable(book, rules, ALICE, rule)
    book.cash[ALICE] -= paid
    equity, initial, _ = account_risk(book, rules, ALICE)

    assert paid >= 0
    assert paid == 0 or equity >= initial
    assert paid == 0 or withdrawal_surplus(book, rules, ALICE, rule) == 0


def test_compiled_and_interpreted_withdrawals_agree() -> None:
    rules = parameters(2, isolated=np.array([True, False]), gain_weight=integers(0, PPM))
    book = holding(5_000, (10, 100), (0, 50))
    book.mark[0] = usd(120)

    for rule in (INITIAL_MARGIN, HYPERLIQUID, SETTLED_ONLY):
        found = withdrawable(book, rules, ALICE, rule)
        assert found == withdrawable.py_func(book, rules, ALICE, rule)
        assert found > 0


@pytest.mark.parametrize(
    ("leverage", "accepted"), [(50, True), (10, True), (5, True), (4, False), (1, False)]
)
def test_an_account_may_choose_any_leverage_whose_initial_margin_it_meets(
    leverage: int, accepted: bool
) -> None:
    book, rules = holding(200, (10, 100)), parameters()
    book.own_initial[ALICE] = 50_000

    assert choose_leverage(book, rules, ALICE, PPM // leverage) is accepted
    assert book.own_initial[ALICE] == (PPM // leverage if accepted else 50_000)
    assert account_risk(book, rules, ALICE)[2] == usd(12)


def test_an_account_may_return_to_the_leverage_of_the_market() -> None:
    book, rules = holding(20, (10, 100)), parameters()
    book.own_initial[ALICE] = 500_000

    assert choose_leverage(book, rules, ALICE, 0)
    assert account_risk(book, rules, ALICE)[1] == usd(20)


@pytest.mark.parametrize("rate", [-1, PPM + 1])
def test_a_rate_that_is_no_share_is_refused_with_its_value(rate: int) -> None:
    with pytest.raises(ValueError, match=rf"got initial={rate / PPM}"):
        choose_leverage(holding(0, (0, 100)), parameters(), ALICE, rate)
