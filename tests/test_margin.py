"""What an account is worth and has to keep by the rules of five venues, and what those rules let it do."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from margin_rules import (
    KINDS,
    VENUES,
    books,
    expected_risk,
    float_slip,
    holding,
    margin_rules,
    vectors,
)
from venue import ALICE, BOB, integers, parameters, reference, usd

from protocol.admission import (
    fill_allows,
    interest_change,
    margin_allows,
    position_allowed,
    transition_allowed,
)
from protocol.arithmetic import PPM
from protocol.book import FEES, VAULT, Book, exchange_position, move_cash, settle_funding
from protocol.margin import (
    MARKET_RATES,
    Change,
    OwnRates,
    account_risk,
    below_maintenance,
    initial_rate,
    keeper_reward,
    merged_risk,
    position_margin,
    risk_after,
    risk_of,
)
from protocol.parameters import RiskParameters
from protocol.scan import liquidatable

pytestmark = pytest.mark.kernel

SMALL_CAP = {
    "initial": 100_000,
    "maintenance": 50_000,
    "open_interest_lower": usd(20e6),
    "open_interest_upper": usd(50e6),
}
Risk = tuple[int, int, int]


def ppm(rate: float | Fraction) -> int:
    """A rate in parts per million, rounded up."""
    return -(-Fraction(rate) * PPM // 1) if isinstance(rate, Fraction) else round(rate * PPM)


def column(value: float) -> np.ndarray:
    """A rate of one market that is a float."""
    return np.array([float(value)])


def risk_at(book: Book, rules: RiskParameters, price: float) -> Risk:
    """Equity and requirements of ALICE when the first market's oracle and mark stand at `price` [USD]."""
    book.mark[0] = book.oracle[0] = usd(price)
    return account_risk(book, rules, ALICE)


def tiers_of(row: dict[str, Any]) -> dict[str, Any]:
    """Hyperliquid's margins of a coin as rates and tiers."""
    first, second = (Fraction(1, leverage) for leverage in row["leverage"])
    above = (second - first) if row["edge"] else Fraction(0)
    return {
        "initial": ppm(first),
        "maintenance": ppm(first / 2),
        "tier_floor": integers(usd(row["edge"])).reshape(1, 1),
        "tier_initial": integers(ppm(above)).reshape(1, 1),
        "tier_maintenance": integers(ppm(above / 2)).reshape(1, 1),
    }


@pytest.mark.parametrize("row", reference("open_interest_scaling")["rows"])
def test_initial_margin_rises_with_open_interest_as_at_dydx(row: dict[str, Any]) -> None:
    rate = initial_rate(parameters(**SMALL_CAP), 0, usd(row["open_interest"]))

    assert rate == pytest.approx(row["initial"] * PPM, abs=1)


@pytest.mark.parametrize("row", vectors("dydx")["rows"])
def test_margin_of_a_position_at_dydx(row: dict[str, Any]) -> None:
    bounds = {f"open_interest_{name}": usd(row[name]) for name in ("lower", "upper")}
    rules = parameters(initial=ppm(row["initial"]), maintenance=ppm(row["maintenance"]), **bounds)
    rate = initial_rate(rules, 0, usd(row["open_interest"]))
    initial, maintenance = position_margin(
        rules, 0, row["notional"], usd(1), rate, OwnRates(ppm(row["own"]), 0)
    )

    assert initial == pytest.approx(usd(row["required"]), abs=row["notional"])
    assert maintenance == usd(row["kept"])


@pytest.mark.parametrize("row", vectors("hyperliquid_tiers")["rows"])
def test_margin_of_a_position_at_hyperliquid(row: dict[str, Any]) -> None:
    rules, slip = parameters(**tiers_of(row)), 2 * row["notional"]
    initial, maintenance = position_margin(
        rules, 0, row["notional"], usd(1), int(rules.initial[0]), MARKET_RATES
    )

    assert usd(row["required"]) <= initial <= usd(row["required"]) + slip
    assert usd(row["kept"]) <= maintenance <= usd(row["kept"]) + slip


@pytest.mark.parametrize("row", vectors("hyperliquid_liquidation_prices")["rows"])
def test_liquidation_price_at_hyperliquid(row: dict[str, Any]) -> None:
    rules = parameters(**tiers_of(row))
    book, past = holding(row["collateral"], (row["size"], row["price"])), np.sign(row["size"]) * 1e-4
    safe, failing = (risk_at(book, rules, row["liquidation"] * (1 + gap)) for gap in (past, -past))

    assert safe[0] > safe[2]
    assert failing[0] < failing[2]


@pytest.mark.parametrize("row", vectors("drift")["rows"])
def test_margin_of_a_position_at_drift(row: dict[str, Any]) -> None:
    rates = {name: ppm(row[name]) for name in ("initial", "maintenance")}
    rules = parameters(**rates, root=column(row["imf"] * PPM), fill_share=500_000)
    held = account_risk(holding(0, (row["size"], row["price"])), rules, ALICE)
    fill = 0, row["size"], -row["size"] * usd(row["price"]), row["size"], 0

    assert held[1:] == pytest.approx((usd(row["required"]), usd(row["kept"])), abs=2)
    for allows, least in ((margin_allows, row["required"]), (fill_allows, row["at_fill"])):
        for gap, allowed in ((2, True), (-2, False)):
            assert allows(holding(least + gap / 1e6, (0, row["price"])), rules, ALICE, *fill) is allowed


@pytest.mark.parametrize("row", vectors("synthetix")["rows"])
def test_margin_of_a_position_at_synthetix(row: dict[str, Any]) -> None:
    table = vectors("synthetix")
    slope = table["ratio"] / table["scale"] * PPM
    rate, least, most = table["reward"]
    rules = parameters(
        initial=ppm(table["minimum"]),
        maintenance=ppm(table["minimum"] * table["scalar"]),
        slope_initial=column(slope),
        slope_maintenance=column(slope * table["scalar"]),
        position_margin=integers(usd(table["position"])),
        reward_rate=ppm(rate),
        reward_minimum=usd(least),
        reward_maximum=usd(most),
    )
    book = holding(0, (row["size"], row["price"]))
    _, initial, maintenance = account_risk(book, rules, ALICE)

    assert keeper_reward(rules, row["size"] * usd(row["price"])) == usd(row["reward"])
    assert initial == pytest.approx(usd(row["required"]), abs=2)
    assert maintenance == pytest.approx(usd(row["kept"]), abs=2)


@pytest.mark.parametrize("row", vectors("gmx")["rows"])
def test_margin_of_a_position_at_gmx(row: dict[str, Any]) -> None:
    table = vectors("gmx")
    rules = parameters(
        initial=ppm(table["factor"]),
        maintenance=ppm(table["factor"]),
        open_interest_slope=column(table["multiplier"] * PPM),
        margin_floor=integers(usd(table["least"])),
        exit_fee=ppm(table["fee"]),
        gain_weight=integers(0),
    )
    book = holding(row["collateral"], (row["size"] // 100, 100))
    price = 100 + 100 * row["pnl"] / row["size"]
    book.open_interest[0] = round(row["open_interest"] / price)
    equity, initial, maintenance = risk_at(book, rules, price)
    withheld = max(usd(row["pnl"]), 0)

    assert equity == usd(row["collateral"]) + usd(row["pnl"])
    assert initial - withheld == pytest.approx(usd(row["required"]), abs=2 * row["size"])
    assert maintenance == usd(row["kept"])
    assert below_maintenance(book, rules, ALICE) is row["liquidatable"]
    assert (equity >= initial) is row["may_withdraw"]


def test_an_order_to_open_costs_its_margin_where_gains_do_not_count() -> None:
    rules = parameters(initial=100_000, gain_weight=integers(0))
    for size in (50, -50):
        book = holding(500, (0, 100))

        assert margin_allows(book, rules, ALICE, 0, size, -size * usd(100), max(size, 0), 0)
        assert not margin_allows(
            book, rules, ALICE, 0, size + size // 50, -51 * size * usd(2), max(size, 0), 0
        )


@pytest.mark.parametrize(
    ("size", "mark", "change", "price", "withheld"),
    [
        (10, 120, 0, 0, 200),
        (10, 80, 0, 0, 0),
        (-10, 80, 0, 0, 200),
        (10, 120, 10, 120, 200),
        (10, 120, 10, 110, 300),
        (10, 120, -4, 120, 120),
        (10, 120, -10, 120, 0),
        (10, 120, -15, 120, 0),
        (10, 120, -15, 125, 25),
        (-10, 80, 15, 80, 0),
    ],
    ids=[
        "gain", "loss", "gain of a short", "grows at the mark", "grows below the mark",
        "shrinks", "closes", "flips at the mark", "flips above the mark", "flips a short",
    ],
)  # fmt: skip
def test_what_is_withheld_follows_the_entry_that_the_fill_leaves(
    size: int, mark: float, change: int, price: float, withheld: float
) -> None:
    book, rules = holding(1_000, (size, 100)), parameters(gain_weight=integers(0))
    book.mark[0] = usd(mark)
    lots = abs(size + change)
    initial = risk_after(book, rules, ALICE, 0, change, -change * usd(price), 0)[1]

    assert initial == lots * usd(mark) // 50 + usd(withheld)


def test_half_of_a_gain_may_count() -> None:
    book, rules = holding(1_000, (10, 100)), parameters(gain_weight=integers(500_000))

    assert risk_at(book, rules, 120) == (usd(1_200), usd(24 + 100), usd(14.4))


@given(books(), st.sampled_from(VENUES))
def test_risk_of_an_account_is_what_its_rules_say_in_unbounded_numbers(book: Book, kind: str) -> None:
    rules = margin_rules(kind)
    found, wanted = account_risk(book, rules, ALICE), expected_risk(book, rules, ALICE)

    assert found[0] == wanted[0]
    assert found[1:] == pytest.approx(wanted[1:], rel=0, abs=float_slip(book, rules, ALICE))


def settled(book: Book) -> Book:
    """The book after everybody's funding has been paid."""
    for account in range(len(book.cash)):
        settle_funding(book, account)
    return book


fills = st.tuples(st.integers(0, 1), st.integers(-(10**6), 10**6), st.integers(1, 10**9))


@given(books(), fills, st.sampled_from(VENUES))
def test_a_hypothetical_fill_has_the_risk_of_the_fill_itself(
    book: Book, fill: tuple[int, int, int], kind: str
) -> None:
    market, lots, price = fill
    if lots == 0:
        return
    rules, quote = margin_rules(kind), lots * price
    interest = interest_change(settled(book), ALICE, BOB, market, lots)
    foreseen = [
        risk_after(book, rules, account, market, sign * lots, -sign * quote, interest)
        for account, sign in ((ALICE, 1), (BOB, -1))
    ]
    exchange_position(book, ALICE, BOB, market, lots, quote)

    assert [account_risk(book, rules, account) for account in (ALICE, BOB)] == foreseen


def no_riskier(before: Risk, after: Risk) -> bool:
    """The rule for accounts below initial margin, in fractions: ratios of equity to maintenance."""
    if before[0] >= before[1] or after[2] > before[2]:
        return False
    if after[2] > 0:
        return Fraction(after[0], after[2]) >= Fraction(before[0], before[2])
    return after[0] > before[0] if before[2] == 0 else after[0] >= 0


@given(books(), fills, st.sampled_from(VENUES), st.integers(-2, 2), st.booleans())
def test_a_move_is_allowed_to_initial_margin_or_to_less_risk_under_all_rules(
    book: Book, fill: tuple[int, int, int], kind: str, nearly: int, at_edge: bool
) -> None:
    market, lots, price = fill
    if lots == 0:
        return
    rules, quote = margin_rules(kind), lots * price
    interest = interest_change(settled(book), ALICE, BOB, market, lots)
    if at_edge:
        after = risk_after(book, rules, ALICE, market, lots, -quote, interest)
        move_cash(book, BOB, ALICE, after[1] - after[0] + nearly)
    change = Change(market, lots, -quote, interest, 0)
    opened, before = position_allowed(book, rules, ALICE, change), account_risk(book, rules, ALICE)
    allowed = margin_allows(book, rules, ALICE, market, lots, -quote, interest, 0)
    exchange_position(book, ALICE, BOB, market, lots, quote)
    after = account_risk(book, rules, ALICE)

    assert allowed == (opened and (after[0] >= after[1] or no_riskier(before, after)))


@given(books(), st.sampled_from(VENUES), st.integers(0, 100))
def test_an_account_below_initial_margin_may_shrink_at_the_mark_under_all_rules_but_not_grow(
    book: Book, kind: str, percent: int
) -> None:
    rules = margin_rules(kind, isolated=np.array([False, False]))
    book = settled(book)._replace(collateral=np.zeros_like(book.collateral))
    book.mark[:] += 10_000
    book.entry[:] = np.where(book.size != 0, book.mark[:, None], 0)
    size, mark = int(book.size[0, ALICE]), int(book.mark[0])
    _, initial, maintenance = account_risk(book, rules, ALICE)
    if abs(size) < 2 or initial <= maintenance:
        return
    book.cash[ALICE] -= account_risk(book, rules, ALICE)[0] - maintenance
    part = -(size * percent // 100) or -int(np.sign(size))

    assert margin_allows(book, rules, ALICE, 0, part, -part * mark, 0, 0)
    assert not margin_allows(book, rules, ALICE, 0, -part, part * mark, 0, 0)


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        ((100, 50, 30), (60, 60, 36), True),
        ((100, 50, 30), (59, 60, 36), False),
        ((40, 50, 30), (32, 40, 24), True),
        ((40, 50, 30), (31, 40, 24), False),
        ((40, 50, 30), (45, 50, 30), True),
        ((40, 50, 30), (49, 51, 31), False),
        ((-10, 50, 30), (-9, 50, 30), True),
        ((-10, 50, 30), (-9, 40, 24), False),
        ((-10, 50, 30), (0, 0, 0), True),
        ((-10, 50, 30), (-1, 0, 0), False),
        ((-10, 0, 0), (-9, 0, 0), True),
        ((-10, 0, 0), (-10, 0, 0), False),
        ((-10, 0, 0), (40, 50, 30), False),
        ((0, 0, 0), (0, 0, 0), True),
    ],
    ids=[
        "ends at initial margin",
        "ends below and was above",
        "below, shrinks in proportion",
        "below, shrinks but gets riskier",
        "below, equity grows",
        "below, a better ratio on a larger position",
        "bankrupt, owes less",
        "bankrupt, owes less on much less margin",
        "bankrupt, closes at zero",
        "bankrupt, closes with a debt",
        "no position, owes less",
        "no position, owes the same",
        "no position, opens one that does not carry itself",
        "nothing at all",
    ],
)
def test_an_account_may_move_if_it_ends_above_initial_margin_or_no_riskier(
    before: Risk, after: Risk, allowed: bool
) -> None:
    assert transition_allowed(before, after) is allowed


def test_a_debt_without_a_position_only_shrinks_by_money_from_outside() -> None:
    book, rules = holding(0, (0, 100)), parameters()
    move_cash(book, ALICE, BOB, usd(10))

    assert account_risk(book, rules, ALICE) == (-usd(10), 0, 0)
    assert not margin_allows(book, rules, ALICE, 0, 1, -usd(100), 1, 0)
    assert not margin_allows(book, rules, ALICE, 0, 1, -usd(90), 1, 0)
    assert margin_allows(book, rules, ALICE, 0, 0, usd(4), 0, 0)


def test_the_smallest_position_keeps_at_least_one_micro() -> None:
    book, rules = holding(0, (1, 0.000001)), parameters()

    assert account_risk(book, rules, ALICE) == (0, 1, 1)
    assert liquidatable(book, rules).tolist() == [ALICE]


@st.composite
def tiered(draw: st.DrawFn) -> RiskParameters:
    """One market with up to three tiers above its first."""
    count = draw(st.integers(0, 3))
    floors = sorted(draw(st.lists(st.integers(0, 10**9), min_size=count, max_size=count)))
    keep = draw(st.lists(st.integers(0, 100_000), min_size=count, max_size=count))
    more = draw(st.lists(st.integers(0, 100_000), min_size=count, max_size=count))
    return parameters(
        tier_floor=integers(*floors).reshape(1, count),
        tier_initial=integers(*(np.array(keep) + more)).reshape(1, count),
        tier_maintenance=integers(*keep).reshape(1, count),
        margin_floor=integers(draw(st.integers(0, 10**6))),
        exit_fee=draw(st.integers(0, 1_000)),
    )


@given(tiered(), st.lists(st.integers(1, 10**10), min_size=2, max_size=2), st.sampled_from([0, 50_000]))
def test_tiered_margins_are_continuous_and_never_fall_with_notional(
    rules: RiskParameters, notional: list[int], own: int
) -> None:
    few, many = (position_margin(rules, 0, lots, 1, 20_000, OwnRates(own, 0)) for lots in sorted(notional))
    edge = [max(int(floor) + step, 1) for floor in rules.tier_floor[0] for step in (-1, 0, 1)]

    assert all(low <= high for low, high in zip(few, many, strict=True))
    assert all(needed[0] >= needed[1] for needed in (few, many))
    for lots in [*notional, *edge]:
        here, next_one = (
            position_margin(rules, 0, lots + step, 1, 20_000, OwnRates(own, 0)) for step in (0, 1)
        )
        steps = [after - before for before, after in zip(here, next_one, strict=True)]
        assert all(0 <= step <= 2 + rules.tier_floor.shape[1] for step in steps)


@given(
    st.lists(st.integers(1, 10**9), min_size=2, max_size=2),
    st.floats(0, 100),
    st.floats(0, 1),
    st.integers(1, 10**6),
)
def test_sized_margins_are_continuous_and_never_fall_with_size(
    sizes: list[int], root: float, slope: float, price: int
) -> None:
    rules = parameters(root=column(root), slope_initial=column(slope), slope_maintenance=column(slope / 3))
    few, many = (position_margin(rules, 0, lots, price, 20_000, MARKET_RATES) for lots in sorted(sizes))

    assert all(low <= high for low, high in zip(few, many, strict=True))
    assert all(needed[0] >= needed[1] for needed in (few, many))
    for lots in sizes:
        here, next_one = (
            position_margin(rules, 0, lots + step, price, 20_000, MARKET_RATES)[0] for step in (0, 1)
        )
        steepest = (20_000 + 1.5 * root * (lots + 1) ** 0.5 + slope * (2 * lots + 1)) / PPM
        assert 0 <= next_one - here <= price * steepest * (1 + 1e-6) + 1e-9 * here + 2


@given(books(), st.sampled_from(VENUES), st.integers(0, 10**9))
def test_open_interest_raises_initial_margin_and_never_changes_maintenance(
    book: Book, kind: str, more: int
) -> None:
    rules = margin_rules(kind)
    before = account_risk(book, rules, ALICE)
    book.open_interest[:] += more
    after = account_risk(book, rules, ALICE)

    assert before[::2] == after[::2]
    assert before[1] <= after[1]


@given(st.integers(0, 10**18), st.integers(0, 10**18), st.sampled_from(["dydx", "gmx"]))
def test_the_initial_rate_never_falls_with_open_interest_and_stays_in_bounds(
    one: int, other: int, kind: str
) -> None:
    rules = margin_rules(kind)
    low, high = (initial_rate(rules, 0, interest) for interest in sorted((one, other)))

    assert rules.initial[0] <= low <= high <= PPM


@given(books(), st.sampled_from(VENUES), st.sampled_from([2, 10, 1_000]))
def test_scaling_all_prices_and_balances_scales_all_risk(book: Book, kind: str, factor: int) -> None:
    rules = margin_rules(kind)
    before = account_risk(book, rules, ALICE)
    money = ("tier_floor", "position_margin", "margin_floor", "open_interest_lower", "open_interest_upper")
    bounds = {name: getattr(rules, name) * factor for name in (*money, "reward_minimum", "reward_maximum")}
    larger = rules._replace(**bounds, open_interest_slope=rules.open_interest_slope / factor)
    prices = ("cash", "mark", "oracle", "entry", "funding", "funding_paid")
    scaled = book._replace(**{name: getattr(book, name) * factor for name in prices})
    after, slip = account_risk(scaled, larger, ALICE), float_slip(book, rules, ALICE)

    assert after == pytest.approx([factor * each for each in before], rel=0, abs=factor * (slip + 20))


def test_raising_initial_margin_in_a_crash_freezes_accounts_and_liquidates_nobody() -> None:
    book, rules = holding(1_000, (100, 100)), parameters(initial=50_000, maintenance=30_000)
    risk = risk_at(book, rules, 95)
    raised = rules._replace(initial=integers(100_000))

    assert risk == (usd(500), usd(475), usd(285))
    assert margin_allows(book, rules, ALICE, 0, 1, -usd(95), 1, 0)
    assert account_risk(book, raised, ALICE) == (usd(500), usd(950), usd(285))
    assert liquidatable(book, raised).tolist() == []
    assert not margin_allows(book, raised, ALICE, 0, 1, -usd(95), 1, 0)
    assert not margin_allows(book, raised, ALICE, 0, 0, -1, 0, 0)
    assert margin_allows(book, raised, ALICE, 0, -1, usd(95), -1, 0)


def test_raising_maintenance_margin_in_a_crash_liquidates_at_once() -> None:
    book, rules = holding(1_000, (100, 100)), parameters(initial=100_000, maintenance=30_000)
    risk_at(book, rules, 95)

    assert liquidatable(book, rules).tolist() == []
    assert liquidatable(book, rules._replace(maintenance=integers(52_631))).tolist() == []
    assert liquidatable(book, rules._replace(maintenance=integers(52_632))).tolist() == [ALICE]


def test_collateral_in_the_asset_that_a_position_is_long_loses_twice() -> None:
    """Forty ETH bought at 2,000 on 20,000 USD: in ETH at weight 0.8, or in cash.

    With ten ETH equity is 48 P − 80,000 and falls to 3 % of 40 P at 80,000 / 46.8 = 1,709.40; with the 16,000
    USD that these count for it is 40 P − 64,000 and does so at 64,000 / 38.8 = 1,649.48.
    """
    rules = parameters(
        initial=50_000,
        maintenance=30_000,
        weight_initial=integers(700_000),
        weight_maintenance=integers(800_000),
    )
    asset, cash = holding(0, (40, 2_000)), holding(16_000, (40, 2_000))
    asset.collateral[0, ALICE] = 10

    assert risk_at(asset, rules, 2_000) == (usd(16_000), usd(4_000 + 2_000), usd(2_400))
    assert risk_at(cash, rules, 2_000) == (usd(16_000), usd(4_000), usd(2_400))
    assert risk_at(asset, rules, 1_700) == (usd(1_600), usd(3_400 + 1_700), usd(2_040))
    assert risk_at(cash, rules, 1_700) == (usd(4_000), usd(3_400), usd(2_040))
    for book, price in ((asset, 1709.41), (cash, 1649.49)):
        risk_at(book, rules, price)
        assert not below_maintenance(book, rules, ALICE)
        risk_at(book, rules, price - 0.02)
        assert below_maintenance(book, rules, ALICE)


def test_an_asset_is_valued_at_the_oracle_and_a_position_at_the_mark() -> None:
    book, rules = holding(0, (10, 100)), parameters(weight_maintenance=integers(500_000))
    book.collateral[0, ALICE] = 4
    book.oracle[0], book.mark[0] = usd(90), usd(110)

    assert account_risk(book, rules, ALICE)[0] == usd(4 * 90 * 0.5 + 10 * (110 - 100))


def test_own_leverage_asks_for_more_to_open_and_nothing_more_to_hold() -> None:
    book, rules = holding(1_000, (10, 100)), parameters()
    before = account_risk(book, rules, ALICE)
    book.own_initial[ALICE] = 250_000

    assert before[1:] == (usd(20), usd(12))
    assert account_risk(book, rules, ALICE)[1:] == (usd(250), usd(12))

    book.own_initial[ALICE] = 10_000

    assert account_risk(book, rules, ALICE) == before


@pytest.mark.parametrize(
    ("held", "market", "lots", "allowed"),
    [
        ((0, 0), 0, 5, True),
        ((0, 0), 1, 5, True),
        ((5, 0), 1, 1, False),
        ((0, 5), 0, 1, False),
        ((5, 5), 0, 1, True),
        ((0, 5), 1, 1, True),
        ((0, 5), 1, -5, True),
        ((0, 5), 1, -9, True),
    ],
)
def test_an_isolated_position_stands_alone_in_its_account(
    held: tuple[int, int], market: int, lots: int, allowed: bool
) -> None:
    rules = parameters(2, isolated=np.array([False, True]))
    book = holding(1_000, (held[0], 100), (held[1], 100))

    assert position_allowed(book, rules, ALICE, Change(market, lots, 0, 0, 0)) is allowed
    assert margin_allows(book, rules, ALICE, market, lots, -lots * usd(100), 0, 0) is allowed
    assert position_allowed(book, rules, VAULT, Change(market, lots, 0, 0, 0))


@pytest.mark.parametrize(
    ("cap", "interest", "lots", "allowed"),
    [
        (20_000, 100, 100, True),
        (20_000, 101, 101, False),
        (5_000, 1, 1, False),
        (5_000, 0, 101, True),
        (5_000, -5, 5, True),
        (0, 101, 101, True),
    ],
)
def test_at_the_cap_of_open_interest_only_fills_that_open_nothing_pass(
    cap: int, interest: int, lots: int, allowed: bool
) -> None:
    rules = parameters(open_interest_cap=integers(usd(cap)))
    book = holding(100_000, (100, 100))

    for allows in (margin_allows, fill_allows):
        assert allows(book, rules, ALICE, 0, lots, -lots * usd(100), interest, 0) is allowed


def test_a_fee_costs_equity_and_is_no_part_of_the_entry_price() -> None:
    """Ten lots sold at 110 and marked at 100 gain 100 USD, of which half count."""
    rules, book = parameters(initial=100_000, gain_weight=integers(500_000)), holding(1_000, (0, 100))
    before, fee = account_risk(book, rules, ALICE), usd(8)
    foreseen = risk_of(book, rules, ALICE, Change(0, -10, 10 * usd(110), 0, fee))
    exchange_position(book, ALICE, BOB, 0, -10, -10 * usd(110))
    move_cash(book, ALICE, FEES, fee)

    assert foreseen == (before[0] + usd(100 - 8), usd(100 + 50), foreseen[2])
    assert account_risk(book, rules, ALICE)[:2] == foreseen[:2]


@given(books(), st.sampled_from(VENUES))
def test_merged_risk_is_that_of_an_account_that_took_everything_at_the_mark(book: Book, kind: str) -> None:
    rules = margin_rules(kind)
    foreseen = merged_risk(settled(book), rules, ALICE, BOB)
    for market in (0, 1):
        size = int(book.size[market, BOB])
        if size:
            exchange_position(book, ALICE, BOB, market, size, size * int(book.mark[market]))
    book.collateral[:, ALICE] += book.collateral[:, BOB]
    book.open_interest[:] = np.maximum(book.size, 0).sum(axis=1)
    move_cash(book, BOB, ALICE, int(book.cash[BOB]))

    assert account_risk(book, rules, ALICE)[::2] == foreseen[::2]
    if kind not in {"dydx", "gmx"}:
        assert account_risk(book, rules, ALICE) == foreseen


@given(books(), st.sampled_from(sorted(KINDS)))
def test_compiled_and_interpreted_risk_agree(book: Book, kind: str) -> None:
    rules, change = margin_rules(kind), (1, 7, -5, 3)

    assert account_risk(book, rules, BOB) == account_risk.py_func(book, rules, BOB)
    assert merged_risk(book, rules, ALICE, BOB) == merged_risk.py_func(book, rules, ALICE, BOB)
    assert risk_after(book, rules, BOB, *change) == risk_after.py_func(book, rules, BOB, *change)


def test_a_price_move_is_a_transfer_of_equity() -> None:
    book, rules = holding(1e4, (70, 100)), parameters()
    move_cash(book, BOB, ALICE, usd(5))
    equity = risk_at(book, rules, 117.35)[0]

    assert equity == usd(1e4 + 5 + 70 * 17.35)
    assert equity + account_risk(book, rules, BOB)[0] == int(book.flows[0])


def test_risk_is_exact_at_a_trillion_dollars() -> None:
    book, rules = holding(1e12, (10**7, 1e5)), parameters()

    assert account_risk(book, rules, ALICE) == (10**18, 2 * 10**16, 12 * 10**15)
