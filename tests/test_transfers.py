"""Liquidation by keepers who take over parts of a position near the oracle's price."""

from typing import Any

import numpy as np
import pytest
from drift import Fixture
from hypothesis import given, settings
from hypothesis import strategies as st
from venue import ALICE, BOB, CAROL, DAVE, ERIN, integers, parameters, usd

from protocol.book import INSURANCE, Book, Ints, Mask, Rows, exchange_position, open_book
from protocol.liquidations.keepers import CROWDED_OUT, LOST, REVERTED, WON, AuctionRule, Offers
from protocol.liquidations.record import COMPLETE, PARTIAL, UNFILLED, Moment
from protocol.liquidations.shortage import TransferRules, account_shortage
from protocol.liquidations.transfers import Transfers
from protocol.margin import account_risk
from protocol.scan import liquidatable
from protocol.venues.ladder import BID

pytestmark = pytest.mark.kernel

BUFFER = 20_000
AT_ONCE = {"duration": 0.0}


class Quiet:
    """A venue that only notes whose orders it was told to withdraw."""

    def __init__(self) -> None:
        self.cancelled: list[list[int]] = []

    def cancel(self, leaving: Mask, block: int) -> None:
        self.cancelled.append(np.flatnonzero(leaving).tolist())


class Desk:
    """ALICE holds `size` lots bought at 100 with `cash` of her own; CAROL and DAVE are keepers.

    Initial margin is 10 %, maintenance 5 %; the keeper's discount 1 %, the fund's part at most 0.5 %.
    """

    def __init__(
        self, cash: float, size: int = 1_000, *, price: float = 99, auction: Any = None, **rules: Any
    ):
        self.book: Book = open_book(ALICE + 6, integers(usd(100)))
        for account, amount in ((ALICE, cash), (BOB, 1e7), (CAROL, 1e6), (DAVE, 1e6), (ERIN, 1e7)):
            self.book.cash[account] = usd(amount)
        self.money = int(self.book.cash.sum())
        self.parameters = parameters(initial=100_000, maintenance=50_000)
        exchange_position(self.book, ALICE, BOB, 0, size, size * usd(100))
        self.venue = Quiet()
        numbers = {"fee": integers(10_000), "fund_fee": integers(5_000)} | AT_ONCE | rules
        self.engine = Transfers(self.book, self.venue, TransferRules(**numbers), auction)  # type: ignore[arg-type]
        self.engine.offers = keepers(CAROL, DAVE)
        self.gas_price, self.usable = 0.0, np.ones(1, np.bool_)
        self.move(price)

    def move(self, price: float, market: int = 0) -> None:
        self.book.oracle[market] = self.book.mark[market] = usd(price)

    def run(self, time: float = 0.0, number: int = 0, ticket: int = 5) -> Rows:
        failing: Ints = liquidatable(self.book, self.parameters)
        if number == 0:
            self.engine.prepare(self.engine.offers, self.gas_price, self.usable)
        return self.engine.round(self.book, self.parameters, failing, Moment(time, 0.4, number, ticket))

    def shortage(self, account: int = ALICE) -> float:
        """To maintenance and buffer [USD]."""
        return account_shortage(self.book, self.parameters, account, BUFFER) / 1e6

    def size(self, account: int) -> int:
        return int(self.book.size[0, account])

    def conserved(self) -> bool:
        return int(self.book.cash.sum()) == self.money and not self.book.size.sum(axis=1).any()


def keepers(*accounts: int, **columns: Any) -> Offers:
    count = len(accounts)
    plain = {
        "account": integers(*accounts),
        "tolerance": np.full(count, 1e9),
        "slippage": np.zeros(count, np.int64),
        "capital_cost": np.zeros(count, np.int64),
        "ticket": np.arange(count) + 17,
    }
    return Offers(**(plain | {name: np.asarray(value) for name, value in columns.items()}))


def test_a_keeper_takes_over_what_restores_maintenance_and_buffer() -> None:
    desk = Desk(5_400)
    equity, _, maintenance = account_risk(desk.book, desk.parameters, ALICE)
    rows = desk.run()
    keeper = int(rows["keeper"][0])

    assert (equity, maintenance) == (usd(4_400), usd(4_950))
    assert len(rows) == 1
    assert rows["filled"][0] == rows["size"][0] == -465
    assert rows["limit"][0] == usd(98.01)
    assert rows["quote"][0] == -465 * usd(98.01)
    assert rows["fee"][0] == usd(465 * 0.99)
    assert rows["insurance"][0] == usd(465 * 0.495) == desk.book.cash[INSURANCE]
    assert (rows["equity"][0], rows["maintenance"][0]) == (equity, maintenance)
    assert rows["outcome"][0] == COMPLETE
    assert (desk.size(ALICE), desk.size(keeper)) == (535, 465)
    assert -99 * 0.055 <= desk.shortage() <= 0
    assert desk.conserved()


def test_a_short_position_passes_on_above_the_oracle() -> None:
    desk = Desk(5_600, -1_000, price=101)
    rows = desk.run()

    assert rows["limit"][0] == usd(102.01)
    assert rows["quote"][0] == rows["filled"][0] * usd(102.01)
    assert rows["filled"][0] > 0
    assert -101 * 0.055 <= desk.shortage() <= 0
    assert desk.conserved()


def test_the_account_pays_exactly_discount_and_fund() -> None:
    desk = Desk(5_400)
    before = account_risk(desk.book, desk.parameters, ALICE)[0]
    rows = desk.run()
    after = account_risk(desk.book, desk.parameters, ALICE)[0]

    assert before - after == rows["fee"][0] + rows["insurance"][0]


def test_an_account_above_maintenance_but_below_the_buffer_is_left_alone() -> None:
    desk = Desk(6_000)

    assert desk.shortage() > 0
    assert len(desk.run()) == 0
    assert not desk.engine.flagged.any()


def test_a_flagged_account_goes_on_until_the_buffer_is_restored() -> None:
    desk = Desk(5_400, duration=10.0)
    desk.run()
    desk.run(time=2.0)
    desk.move(99.8)
    assert account_risk(desk.book, desk.parameters, ALICE)[0] > 5_400 * 0.05
    assert desk.shortage() > 50
    assert len(liquidatable(desk.book, desk.parameters)) == 0

    rows = desk.run(time=20.0)

    assert rows["filled"][0] < 0
    assert desk.shortage() <= 0
    assert len(desk.run(time=21.0)) == 0
    assert not desk.engine.flagged.any()


def test_an_account_that_recovers_by_itself_is_released() -> None:
    desk = Desk(5_400, duration=10.0)
    desk.run()
    assert desk.engine.flagged[ALICE]

    desk.move(102)

    assert len(desk.run(time=5.0)) == 0
    assert not desk.engine.flagged.any()
    assert desk.size(ALICE) == 1_000


def test_open_orders_leave_when_the_flag_is_set_and_only_then() -> None:
    desk = Desk(5_400, duration=10.0)
    desk.run()
    desk.run(time=1.0)

    assert desk.venue.cancelled == [[ALICE]]


def test_the_shortage_is_freed_in_proportion_to_time() -> None:
    desk = Desk(5_400, duration=10.0)
    total = desk.shortage()
    left = []
    for number in range(26):
        desk.run(number=number)
        left.append(desk.shortage() / total)

    assert left[0] == 1
    assert left == pytest.approx(1 - np.arange(26) / 25, abs=99 * 0.055 / total)
    assert left[25] <= 0 < left[24]
    assert desk.engine.freed[ALICE] / 1e6 == pytest.approx(total - desk.shortage())


def test_what_was_due_stays_due_when_the_price_falls_on() -> None:
    desk = Desk(5_400, duration=10.0)
    desk.run()
    desk.run(time=5.0)
    freed = desk.engine.freed[ALICE] / 1e6
    desk.move(98.5)
    shortage = desk.shortage()
    desk.run(time=5.0)

    assert shortage - desk.shortage() == pytest.approx((shortage + freed) / 2 - freed, abs=7)


@pytest.mark.parametrize(("cash", "size"), [(55.0, 10), (5.5, 1)])
def test_small_shortages_do_not_wait(cash: float, size: int) -> None:
    desk = Desk(cash, size, duration=1e6)

    assert 0 < desk.shortage() < 50
    assert desk.run()["filled"][0] < 0


def test_a_small_position_goes_as_a_whole() -> None:
    desk = Desk(953, price=4.9, size=10, duration=1e6)
    rows = desk.run()

    assert rows["filled"].tolist() == [-10]
    assert desk.size(ALICE) == 0


def test_the_largest_position_goes_first_and_the_fund_of_its_market_gains() -> None:
    book = open_book(ALICE + 5, integers(usd(100), usd(10)))
    desk = Desk(5_400)
    desk.book = book
    desk.parameters = parameters(2, initial=100_000, maintenance=50_000)
    book.cash[[ALICE, BOB, CAROL]] = integers(usd(590), usd(1e6), usd(1e6))
    exchange_position(book, ALICE, BOB, 0, 40, 40 * usd(100))
    exchange_position(book, ALICE, BOB, 1, -900, -900 * usd(10))
    book.fund[1] = 3 + 3 + 3 + 1
    rules = TransferRules(integers(10_000, 20_000), integers(5_000, 5_000), **AT_ONCE)
    desk.engine = Transfers(book, desk.venue, rules)  # type: ignore[arg-type]
    desk.engine.offers, desk.usable = keepers(CAROL), np.ones(2, np.bool_)
    rows = desk.run()

    assert rows["market"].tolist() == [1]
    assert rows["limit"].tolist() == [usd(10.2)]
    assert book.cash[INSURANCE] == 0
    assert book.cash[book.fund[1]] == rows["insurance"][0] > 0
    assert desk.engine.last_market[ALICE] == 1

    desk.usable = np.array([True, False])
    book.cash[ALICE] -= usd(100)
    rows = desk.run(time=1.0)

    assert rows["market"].tolist() == [0]
    desk.usable = np.array([False, False])
    book.cash[ALICE] -= usd(100)

    assert len(desk.run(time=2.0)) == 0
    assert desk.engine.flagged[ALICE]
    assert not desk.engine.busy


def test_a_bankrupt_position_goes_as_a_whole_and_leaves_a_deficit() -> None:
    desk = Desk(5_400, price=90)
    rows = desk.run()

    assert rows["filled"].tolist() == [-1_000]
    assert rows["insurance"].tolist() == [0]
    assert rows["fee"].tolist() == [usd(900)]
    assert desk.book.cash[ALICE] == usd(5_400 - 10_000 - 900)
    assert not desk.book.size[:, ALICE].any()
    assert desk.engine.last_market[ALICE] == 0
    assert desk.conserved()
    assert len(desk.run(time=60.0)) == 0
    assert not desk.engine.flagged.any()


def test_the_record_names_the_price_at_which_nothing_is_left() -> None:
    rows = Desk(5_400).run()

    assert rows["bankruptcy"].tolist() == [usd(94.6)]


def test_the_discount_grows_when_nobody_comes() -> None:
    desk = Desk(5_400, fund_fee=integers(0))
    desk.engine.offers = keepers()
    unfilled = [desk.run(time=time) for time in (0.0, 599.0, 1_000.0)]
    desk.engine.offers = keepers(CAROL)
    taken = desk.run(time=8_000.0)

    assert [rows["outcome"].tolist() for rows in unfilled] == [[UNFILLED]] * 3
    assert [int(rows["limit"][0]) for rows in unfilled] == [usd(98.01), usd(98.01), usd(99 * 0.9875)]
    assert [int(rows["keeper"][0]) for rows in unfilled] == [-1, -1, -1]
    assert taken["limit"].tolist() == [usd(99 * 0.97)]
    assert desk.shortage() <= 0


def test_a_keeper_takes_only_what_its_initial_margin_bears() -> None:
    desk = Desk(5_400)
    desk.book.cash[[CAROL, DAVE]] = usd(900), 0
    rows = desk.run()
    lots = 900 / (99 * (0.1 - 0.01))

    assert rows["size"].tolist() == [-465]
    assert rows["filled"].tolist() == [-int(lots)]
    assert rows["outcome"].tolist() == [PARTIAL]
    assert rows["keeper"].tolist() == [CAROL]
    equity, initial, _ = account_risk(desk.book, desk.parameters, CAROL)
    assert 0 <= equity - initial < usd(99 * 0.09)


def test_no_keeper_bears_nothing_and_nobody_liquidates_himself() -> None:
    desk = Desk(5_400)
    desk.book.cash[CAROL] = usd(8)
    desk.engine.offers = keepers(CAROL, ALICE)

    assert desk.run()["outcome"].tolist() == [UNFILLED]
    assert desk.size(ALICE) == 1_000


def test_a_keeper_that_is_short_needs_no_margin_to_take_a_long_over() -> None:
    desk = Desk(5_400)
    desk.engine.offers = keepers(BOB)
    desk.run()

    assert desk.size(BOB) == -535


def test_a_keeper_below_initial_margin_takes_nothing_even_if_it_would_help() -> None:
    desk = Desk(5_400)
    exchange_position(desk.book, ERIN, BOB, 0, 9_000, 9_000 * usd(100))
    desk.book.cash[BOB] = usd(990_000 + 60_000)
    desk.engine.offers = keepers(BOB)

    assert desk.run()["outcome"].tolist() == [UNFILLED]


def test_by_lot_all_keepers_get_their_turn_and_nobody_pays_gas() -> None:
    winners = set()
    for ticket in range(12):
        desk = Desk(5_400)
        winners.add(int(desk.run(ticket=ticket)["keeper"][0]))
        assert len(desk.engine.receipts()) == 0

    assert winners == {CAROL, DAVE}


def test_in_an_auction_the_cheapest_keeper_wins_and_leaves_a_receipt() -> None:
    desk = Desk(5_400, auction=AuctionRule(payment="all_pay", gas=1_000_000, failed_gas=500_000))
    desk.engine.offers = keepers(CAROL, DAVE, slippage=[5_000, 2_000])
    desk.engine.gas_price = 1.0
    rows = desk.run(number=3)
    receipt = desk.engine.receipts()
    notional = 465 * 99

    assert rows["keeper"].tolist() == [DAVE]
    assert receipt["outcome"].tolist() == [WON, LOST]
    assert receipt["keeper"].tolist() == [DAVE, CAROL]
    assert receipt["account"].tolist() == [ALICE, ALICE]
    assert receipt["round"].tolist() == [3, 3]
    assert receipt["gas"].tolist() == [usd(1), usd(0.5)]
    assert receipt["tip"][0] == pytest.approx(usd((notional * 0.005 - 1.5) * 0.9 / 1.5), abs=2)
    assert desk.conserved()


def test_gas_beyond_what_the_discount_pays_stops_liquidation() -> None:
    desk = Desk(5_400, auction=AuctionRule(gas=1_000_000))
    desk.gas_price = 500.0

    assert desk.run()["outcome"].tolist() == [UNFILLED]
    assert len(desk.engine.receipts()) == 0
    desk.gas_price = 400.0

    assert desk.run()["outcome"].tolist() == [COMPLETE]


def test_a_keeper_whose_capital_the_round_has_used_up_reverts() -> None:
    desk = Desk(5_400, auction=AuctionRule(gas=1_000, failed_gas=500_000))
    exchange_position(desk.book, ERIN, BOB, 0, 1_000, 1_000 * usd(100))
    desk.book.cash[ERIN] = desk.book.cash[ALICE]
    desk.book.cash[CAROL] = usd(4_150)
    desk.engine.offers = keepers(CAROL)
    desk.gas_price = 1_000.0
    rows, receipts = desk.run(), desk.engine.receipts()

    assert rows["filled"].tolist() == [-465, 0]
    assert receipts["outcome"].tolist() == [WON, REVERTED]
    assert receipts["gas"].tolist() == [usd(1), usd(0.5)]
    assert rows["outcome"].tolist() == [COMPLETE, UNFILLED]


def test_who_finds_no_keeper_waits_for_the_next_block() -> None:
    desk = Desk(5_400)
    desk.engine.offers = keepers()

    assert desk.run()["outcome"].tolist() == [UNFILLED]
    assert not desk.engine.busy
    assert len(desk.run(number=1)) == 0
    desk.engine.offers = keepers(CAROL)

    assert desk.run(time=60.0)["outcome"].tolist() == [COMPLETE]


def test_the_engine_is_busy_while_a_part_is_still_to_come() -> None:
    desk = Desk(5_400, duration=10.0)
    assert not desk.engine.busy
    busy = []
    for number in range(28):
        desk.run(number=number)
        busy.append(desk.engine.busy)

    assert busy == [True] * 26 + [False] * 2


def test_who_finds_no_room_in_the_block_is_tried_again_in_the_next_round() -> None:
    desk = Desk(5_400, auction=AuctionRule(gas=0, space=1))
    exchange_position(desk.book, ERIN, BOB, 0, 800, 800 * usd(100))
    desk.book.cash[ERIN] = usd(800 * -94.6)
    first, second = desk.run(), desk.run(number=1)

    assert first["account"].tolist() == [ALICE]
    assert second["account"].tolist() == [ERIN]
    assert desk.engine.receipts()["outcome"].tolist() == [WON, CROWDED_OUT, WON]


def test_on_the_hybrid_venue_the_flag_withdraws_resting_orders() -> None:
    venue = Fixture(2_300.0, 1e6, 1e6)
    venue.send(ALICE, 100)
    venue.send(ALICE, 5, 90.0)
    venue.send(BOB, 5, 89.0)
    rules = TransferRules(integers(10_000), integers(0), **AT_ONCE)
    engine = Transfers(venue.book, venue.amm, rules)
    engine.offers = keepers(CAROL)
    venue.oracle(92)
    failing = liquidatable(venue.book, venue.parameters)
    rows = engine.round(venue.book, venue.parameters, failing, Moment(60.0, 0.4, 0, 1))

    assert rows["account"].tolist() == failing.tolist() == [ALICE]
    assert rows["filled"][0] < 0
    assert venue.resting(BID) == [(BOB, 5, 89.0)]
    assert venue.position == -100
    assert venue.balanced()


@settings(max_examples=60)
@given(
    size=st.integers(-5_000, 5_000).filter(lambda lots: abs(lots) > 20),
    leverage=st.floats(10, 19.9),
    drop=st.floats(0.001, 0.08),
    capital=st.floats(0, 1e5),
    duration=st.sampled_from([0.0, 10.0]),
)
def test_a_liquidation_never_flips_grows_or_worsens_a_position(
    size: int, leverage: float, drop: float, capital: float, duration: float
) -> None:
    move = 1 - drop if size > 0 else 1 + drop
    desk = Desk(abs(size) * 100 / leverage, size, price=round(100 * move, 4), duration=duration)
    desk.book.cash[[CAROL, DAVE]] = usd(capital)
    desk.money = int(desk.book.cash.sum())
    for number in range(0, 30, 5):
        held, before = desk.size(ALICE), account_risk(desk.book, desk.parameters, ALICE)
        shortage, notional = desk.shortage(), abs(held) * int(desk.book.mark[0])
        rows = desk.run(number=number)
        left, after = desk.size(ALICE), account_risk(desk.book, desk.parameters, ALICE)

        assert desk.conserved()
        assert abs(left) <= abs(held)
        assert left * size >= 0
        assert desk.book.cash[INSURANCE] >= 0
        assert (rows["size"] * size <= 0).all()
        for keeper in (CAROL, DAVE):
            equity, initial, _ = account_risk(desk.book, desk.parameters, keeper)
            assert equity >= initial
        assert desk.shortage() <= shortage
        if left != held and left and before[0] > 0.015 * notional:
            assert after[0] * before[2] >= before[0] * after[2] * (1 - 1e-6)


@settings(max_examples=40)
@given(size=st.integers(600, 5_000), lacking=st.floats(0.01, 0.6))
def test_with_capital_enough_one_transfer_restores_the_account(size: int, lacking: float) -> None:
    price = 99.0
    target = size * price * 0.07
    desk = Desk(size + target * (1 - max(lacking, 0.31)), size, price=price)
    rows = desk.run()
    per_lot = price * 0.07

    assert len(rows) == 1
    assert -per_lot <= desk.shortage() <= 4e-6
    assert len(desk.run(time=1.0)) == 0
