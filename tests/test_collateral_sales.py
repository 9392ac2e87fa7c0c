"""The sale of a failing account's assets: the least that restores it, for whom, and what stays conserved."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from margin_rules import holding
from venue import ALICE, BOB, CAROL, integers, parameters, usd

from protocol.arithmetic import PPM
from protocol.book import INSURANCE, Book, Ints, Rows, move_cash, open_book
from protocol.collateral import deposit_asset
from protocol.liquidations.collateral_sales import (
    OUTSIDE,
    CollateralSales,
    Sale,
    SaleTerms,
    best_to_sell,
    health_gain,
    least_lots,
    priced_sale,
    sell_collateral,
)
from protocol.liquidations.record import LIQUIDATION, NO_OFFERS, SOLD, UNSOLD, Moment, Unattended
from protocol.margin import account_risk
from protocol.parameters import RiskParameters
from protocol.scan import liquidatable

pytestmark = pytest.mark.kernel

NOW = Moment(time=0.0, seconds=1.0, number=0, ticket=0)


def rules_for(*weights: float, **changes: Any) -> RiskParameters:
    """Maintenance weights of the assets, a tenth less for initial margin."""
    keeping = [round(weight * PPM) for weight in weights]
    opening = [max(weight - PPM // 10, 0) for weight in keeping]
    return parameters(
        len(weights), weight_maintenance=integers(*keeping), weight_initial=integers(*opening), **changes
    )


def terms_for(discount: float, penalty: float = 0.0, buyer: int = OUTSIDE, markets: int = 1) -> SaleTerms:
    """The same discount and penalty for every asset."""
    rates = (integers(*[round(rate * PPM)] * markets) for rate in (discount, penalty))
    return SaleTerms(*rates, buyer)


def owing(debt: float, *assets: tuple[int, float]) -> Book:
    """ALICE with a debt [USD] to BOB and assets (lots, price)."""
    book = holding(0, *[(0, price) for _, price in assets])
    move_cash(book, ALICE, BOB, usd(debt))
    for market, (lots, _) in enumerate(assets):
        deposit_asset(book, ALICE, market, lots)
    return book


def conserved(book: Book) -> bool:
    """Whether cash and every asset add up to what came in and went out."""
    cash = book.cash.sum() == book.flows[0] - book.flows[1]
    return bool(cash and (book.collateral.sum(axis=1) == book.asset_flows[0] - book.asset_flows[1]).all())


class Closer(Unattended):
    """An engine that remembers for whom it was called."""

    def __init__(self) -> None:
        self.called: list[list[int]] = []

    def round(self, book: Book, parameters: RiskParameters, candidates: Ints, moment: Moment) -> Rows:
        self.called.append(candidates.tolist())
        return np.full(1, -1).astype(LIQUIDATION)


def sell(book: Book, rules: RiskParameters, terms: SaleTerms, outside: float = 0) -> Rows:
    """One round of the engine for whoever is below maintenance."""
    engine = CollateralSales(Closer(), terms, len(book.mark))
    engine.outside[:] = usd(outside)
    return engine.round(book, rules, liquidatable(book, rules), NOW)


def sold(book: Book, rules: RiskParameters, terms: SaleTerms) -> list[int]:
    """Units of each asset that ALICE sells in a round."""
    rows, units = sell(book, rules, terms), np.zeros(len(book.mark), np.int64)
    np.subtract.at(units, rows["market"], rows["filled"])
    return list(units.tolist())


def test_a_keeper_buys_at_a_discount_and_the_fund_takes_its_penalty() -> None:
    book, rules = owing(8_500, (10, 1_000)), rules_for(0.8)
    terms = terms_for(0.05, 0.01, BOB)
    sale = priced_sale(book, terms, 0, 4)

    assert sale == Sale(0, 4, usd(3_800), usd(38))
    assert sell_collateral(book, rules, ALICE, BOB, sale)
    assert book.cash[[ALICE, BOB, INSURANCE]].tolist() == [
        usd(-8_500 + 3_800 - 38), usd(1e9 + 8_500 - 3_800), usd(38),
    ]  # fmt: skip
    assert book.collateral[0, [ALICE, BOB]].tolist() == [6, 4]
    assert book.asset_flows[:, 0].tolist() == [10, 0]
    assert conserved(book)


def test_a_sale_out_of_the_venue_takes_the_asset_along_and_brings_its_price() -> None:
    book, rules = owing(8_500, (10, 1_000)), rules_for(0.8)
    deposited = int(book.flows[0])

    assert sell_collateral(book, rules, ALICE, OUTSIDE, Sale(0, 4, usd(3_000), usd(30)))
    assert book.cash[[ALICE, INSURANCE]].tolist() == [usd(-5_530), usd(30)]
    assert book.flows.tolist() == [deposited + usd(3_000), 0]
    assert book.asset_flows[:, 0].tolist() == [10, 4]
    assert conserved(book)


def test_the_penalty_goes_to_the_fund_of_the_market() -> None:
    book, rules = owing(8_500, (10, 1_000)), rules_for(0.8)
    book.fund[0] = 6

    assert sell_collateral(book, rules, ALICE, OUTSIDE, Sale(0, 1, usd(900), usd(9)))
    assert book.cash[[INSURANCE, 6]].tolist() == [0, usd(9)]


@pytest.mark.parametrize(("lots", "buyer"), [(11, BOB), (0, BOB), (-1, OUTSIDE), (1, ALICE)])
def test_a_sale_without_units_or_to_oneself_is_refused(lots: int, buyer: int) -> None:
    book, rules = owing(8_500, (10, 1_000)), rules_for(0.8)
    before = book.cash.copy()

    assert not sell_collateral(book, rules, ALICE, buyer, Sale(0, lots, lots * usd(900), 0))
    assert (book.cash == before).all()
    assert book.collateral[0, ALICE] == 10


@pytest.mark.parametrize(("cash", "done"), [(200, True), (199.999999, False), (1_000, True)])
def test_a_keeper_needs_initial_margin_with_the_asset_and_without_the_cash(cash: float, done: bool) -> None:
    book, rules = owing(8_500, (10, 1_000)), rules_for(0.8)
    book.cash[BOB] = usd(cash)

    assert sell_collateral(book, rules, ALICE, BOB, Sale(0, 1, usd(900), 0)) is done
    assert (account_risk(book, rules, BOB)[0] >= account_risk(book, rules, BOB)[1]) is True


@pytest.mark.parametrize(
    ("debt", "units"),
    [(8_000, 0), (8_000.000001, 1), (8_100, 1), (8_100.000001, 2), (8_500, 5), (9_000, 10), (12_000, 10)],
)
def test_the_least_is_sold_that_restores_maintenance(debt: float, units: int) -> None:
    """Each unit at 1,000 brings 900 and counted for 800; ten of them never carry more than 9,000."""
    book = owing(debt, (10, 1_000))

    assert sold(book, rules_for(0.8), terms_for(0.1)) == [units]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(("shortage", "units"), [(450, [0, 2]), (4_450, [5, 10]), (5_001, [10, 10])])
def test_the_asset_of_the_lowest_weight_goes_first(shortage: float, units: list[int], order: int) -> None:
    """Of one asset a unit adds 900 − 800, of the other 900 − 500, so 450 needs two of the second."""
    book = owing(8_000 + 5_000 + shortage, (10, 1_000), (10, 1_000))
    rules, terms = rules_for(*(0.8, 0.5)[::order]), terms_for(0.1, markets=2)

    assert sold(book, rules, terms) == units[::order]


def test_where_the_best_asset_finds_no_buyer_the_next_one_goes() -> None:
    book = owing(8_000 + 5_000 + 450, (10, 1_000), (10, 1_000))
    engine = CollateralSales(Closer(), terms_for(0.1, markets=2), 2)
    engine.outside[:] = usd(1_000), usd(800)
    rows = engine.round(book, rules_for(0.8, 0.5), integers(ALICE), NOW)

    assert rows["market"].tolist() == [1, 0]
    assert rows["outcome"].tolist() == [UNSOLD, SOLD]
    assert rows["filled"].tolist() == [0, -5]
    assert rows["size"].tolist() == [-2, -5]


@pytest.mark.parametrize("weight", [0.9, 0.95, 1.0])
def test_everything_is_sold_where_no_weight_leaves_room_for_the_discount(weight: float) -> None:
    book, rules = owing(9_999, (10, 1_000)), rules_for(weight)
    if liquidatable(book, rules).tolist() == []:
        move_cash(book, ALICE, BOB, usd(2))

    assert sold(book, rules, terms_for(0.1)) == [10]
    assert account_risk(book, rules, ALICE)[0] < 0


def test_an_asset_that_does_not_count_is_sold_too() -> None:
    book, rules = owing(100, (10, 50)), rules_for(0.0)

    assert sold(book, rules, terms_for(0.2)) == [3]


def test_a_sound_account_sells_nothing() -> None:
    book, rules = owing(8_000, (10, 1_000)), rules_for(0.8)

    assert len(CollateralSales(Closer(), terms_for(0.1), 1).round(book, rules, integers(ALICE), NOW)) == 0


@st.composite
def failing(draw: st.DrawFn) -> tuple[Book, RiskParameters, SaleTerms]:
    """A borrower with a few units of two assets, and any weights, discounts and penalties."""
    book = open_book(BOB + 1, integers(*draw(st.lists(st.integers(1, 5_000), min_size=2, max_size=2))))
    rates = st.lists(st.integers(0, PPM), min_size=2, max_size=2)
    book.cash[ALICE] = -draw(st.integers(0, 60_000))
    book.cash[BOB] = -book.cash[ALICE]
    for market in (0, 1):
        deposit_asset(book, ALICE, market, draw(st.integers(0, 8)))
    rules = parameters(2, weight_maintenance=integers(*draw(rates)))
    terms = SaleTerms(
        integers(*draw(rates)), integers(*draw(rates)) // 10, draw(st.sampled_from([OUTSIDE, BOB]))
    )
    return book, rules, terms


def gain_of(case: tuple[Book, RiskParameters, SaleTerms], lots: tuple[int, ...]) -> int:
    """What selling some of each asset adds to the borrower's equity."""
    book, rules, terms = case
    return sum(health_gain(book, rules, terms, ALICE, market, units) for market, units in enumerate(lots))


@given(failing())
def test_no_cheaper_sale_restores_the_account_by_exhaustive_search(
    case: tuple[Book, RiskParameters, SaleTerms],
) -> None:
    book, rules, terms = case
    shortage = -account_risk(book, rules, ALICE)[0]
    copied = Book._make(column.copy() for column in book)
    chosen = np.array(sold(copied, rules, terms._replace(buyer=OUTSIDE)))
    units = book.collateral[:, ALICE].tolist()
    enough = [
        lots for lots in product(*(range(each + 1) for each in units)) if gain_of(case, lots) >= shortage
    ]
    cost = [sum(np.array(lots) * book.oracle) for lots in enough]
    coarse = int(book.oracle.max())

    assert (chosen <= units).all()
    if shortage <= 0:
        assert not chosen.any()
    elif gain_of(case, tuple(chosen.tolist())) >= shortage:
        assert chosen @ book.oracle <= min(cost) + coarse
    else:
        assert chosen.tolist() == units
        assert (
            enough == [] or gain_of(case, max(enough, key=lambda lots: gain_of(case, lots))) <= shortage + 4
        )


@given(failing(), st.booleans())
def test_a_round_conserves_cash_and_assets_and_restores_or_empties_the_account(
    case: tuple[Book, RiskParameters, SaleTerms], solvent: bool
) -> None:
    book, rules, terms = case
    before, candidates = account_risk(book, rules, ALICE)[0], liquidatable(book, rules)
    if terms.buyer == BOB and solvent:
        book.cash[BOB] += 10**9
        book.flows[0] += 10**9
    rows = sell(book, rules, terms)
    after, left = account_risk(book, rules, ALICE)[0], int(book.collateral[:, ALICE].sum())

    assert conserved(book)
    assert set(rows["account"]) <= {ALICE}
    assert (rows["insurance"] >= 0).all()
    if ALICE in candidates and (rows["outcome"] == SOLD).all():
        assert after >= 0 or left == 0
    elif ALICE not in candidates:
        assert after == before


def test_the_record_of_a_sale() -> None:
    book, rules = owing(8_500, (10, 1_000)), rules_for(0.8)
    row = sell(book, rules, terms_for(0.05, 0.01, BOB))[0]

    assert {name: int(row[name]) for name in row.dtype.names if row[name]} == {
        "account": ALICE,
        "keeper": BOB,
        "size": -4,
        "filled": -4,
        "quote": -usd(3_800),
        "oracle": usd(1_000),
        "mark": usd(1_000),
        "limit": usd(950),
        "equity": -usd(500),
        "fee": usd(38),
        "insurance": usd(38),
        "outcome": SOLD,
    }


def test_another_engine_closes_positions_and_only_the_rest_is_sold_out() -> None:
    """ALICE has 500 − 390 left over ten longs that need 120, CAROL owes 501 on what counts for 500."""
    book, rules = holding(0, (10, 1_000)), rules_for(0.5)
    for account in (ALICE, BOB, CAROL):
        deposit_asset(book, account, 0, 1)
    move_cash(book, ALICE, BOB, usd(390))
    move_cash(book, CAROL, BOB, usd(501))
    closer = Closer()
    engine = CollateralSales(closer, terms_for(0.1), 1)
    candidates = liquidatable(book, rules)
    rows = engine.round(book, rules, candidates, NOW)

    assert candidates.tolist() == [ALICE, CAROL]
    assert closer.called == [[ALICE]]
    assert rows["account"].tolist() == [-1, CAROL]
    assert book.collateral[0, [ALICE, BOB, CAROL]].tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("debt", "outside", "sold_units", "closed"),
    [(500, 0, 0, True), (500.000001, 0, 1, False), (500.000001, 899, 0, True), (5_000, 0, 1, False)],
)
def test_who_is_worth_less_than_nothing_sells_before_positions_are_closed(
    debt: float, outside: float, sold_units: int, closed: bool
) -> None:
    """A unit worth 1,000 counts for 500, and ten longs need 120; without a buyer the positions go on."""
    book, rules = holding(0, (10, 1_000)), rules_for(0.5)
    deposit_asset(book, ALICE, 0, 1)
    move_cash(book, ALICE, BOB, usd(debt))
    closer = Closer()
    engine = CollateralSales(closer, terms_for(0.1), 1)
    engine.outside[:] = usd(outside)
    engine.round(book, rules, integers(ALICE), NOW)

    assert closer.called == ([[ALICE]] if closed else [])
    assert book.collateral[0, ALICE] == 1 - sold_units
    assert book.size[0, ALICE] == 10


def test_the_other_engine_is_asked_again_while_it_is_busy() -> None:
    book, closer = holding(0, (0, 1_000)), Closer()
    engine = CollateralSales(closer, terms_for(0.1), 1)
    closer.busy = True

    assert engine.busy
    assert len(engine.round(book, rules_for(0.5), integers(), NOW)) == 1
    assert closer.called == [[]]


def test_an_asset_whose_price_may_not_be_used_is_not_sold() -> None:
    book, rules = owing(8_500, (10, 1_000)), rules_for(0.8)
    engine = CollateralSales(Closer(), terms_for(0.1), 1)
    for usable, rows in ((False, 0), (True, 1)):
        engine.prepare(NO_OFFERS, 0.0, np.array([usable]))

        assert len(engine.round(book, rules, integers(ALICE), NOW)) == rows
    assert len(engine.receipts()) == 0


def test_at_a_floor_price_nobody_buys_what_is_cheaper_outside() -> None:
    """Venus, 12 May 2022: the feed stops at 0.107 while LUNA trades at 0.01.

    A million LUNA at weight 0.55 still carries a loan of 58,000 USD at the feed's floor; one USD more and it
    may be sold, but nobody pays 0.0963 for what costs 0.01 elsewhere, and the loan is lost.
    """
    book, rules = owing(58_000, (1_000, 107)), rules_for(0.55)
    terms = terms_for(0.1)

    assert liquidatable(book, rules).tolist() == []

    move_cash(book, ALICE, BOB, usd(1_000))
    rows = sell(book, rules, terms, outside=10)

    assert liquidatable(book, rules).tolist() == [ALICE]
    assert rows["outcome"].tolist() == [UNSOLD]
    assert rows["filled"].tolist() == [0]
    assert book.cash[ALICE] + book.collateral[0, ALICE] * usd(10) == -usd(59_000 - 10_000)

    rows = sell(book, rules, terms, outside=96.3)

    assert rows["outcome"].tolist() == [SOLD]
    assert account_risk(book, rules, ALICE)[0] >= 0
    assert conserved(book)


def test_compiled_and_interpreted_sales_agree() -> None:
    book, rules, terms = owing(8_500, (10, 1_000)), rules_for(0.8), terms_for(0.05, 0.01)
    lots, tried = least_lots(book, rules, terms, ALICE, 0, usd(500)), integers(0)

    assert lots == 4
    assert least_lots.py_func(book, rules, terms, ALICE, 0, usd(500)) == lots
    assert best_to_sell.py_func(book, rules, terms, ALICE, tried) == 0
    assert best_to_sell(book, rules, terms, ALICE, tried) == 0
    assert priced_sale.py_func(book, terms, 0, 3) == priced_sale(book, terms, 0, 3)
