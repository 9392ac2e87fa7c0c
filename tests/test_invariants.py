"""Each invariant names a planted violation, and no sequence of acts leads a sound venue into one."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from venue import ALICE, BOB, CAROL, DAVE, hold, integers, liquidate, place, quote, risk, update, usd, venue

from protocol import vault
from protocol.book import (
    CLEARING,
    DEPOSITS,
    FEES,
    FUNDING_SCALE,
    INSURANCE,
    VAULT,
    WITHDRAWALS,
    exchange_position,
    move_cash,
    settle_funding,
)
from protocol.exchange import Exchange
from protocol.invariants import InvariantError, unsettled, violated
from protocol.journal import Cascade
from protocol.liquidations.record import TAKEN_OVER
from protocol.orders import IMMEDIATE, POST_ONLY, REST, Orders
from protocol.scan import accounts_risk, liquidatable
from sim.streams import stream

pytestmark = pytest.mark.kernel

FEES_AND_TRIGGER = {"taker_fee": 500, "maker_fee": -110, "backstop_trigger": 666_667}


def sound() -> Exchange:
    """A venue in use: positions, quotes, funding behind, a vault with shares."""
    exchange = venue(1e4, 1e4, 1e4, prices=(100, 50), insurance=100, vault=1_000)
    hold(exchange, ALICE, BOB, 30)
    hold(exchange, CAROL, VAULT, 7, 50, market=1)
    quote(exchange, ALICE, (5, 99), (-5, 101))
    exchange.book.funding[:] += 777
    exchange.book.shares[0, ALICE] = usd(1_000)
    return exchange


def mint_cash(exchange: Exchange) -> None:
    exchange.book.cash[ALICE] += 1


def mint_position(exchange: Exchange) -> None:
    settle_funding(exchange.book, BOB)
    exchange.book.size[0, BOB] -= 1


def miscount_interest(exchange: Exchange) -> None:
    exchange.book.open_interest[1] += 1


def overdraw_fund(exchange: Exchange) -> None:
    move_cash(exchange.book, INSURANCE, ALICE, usd(100) + 1)


def trade_with_a_purse(exchange: Exchange) -> None:
    exchange_position(exchange.book, FEES, BOB, 0, 1, usd(100))


def pay_out_clearing(exchange: Exchange) -> None:
    move_cash(exchange.book, CLEARING, ALICE, 1)


def own_negative_shares(exchange: Exchange) -> None:
    exchange.book.shares[0, BOB] = -1


def give_a_purse_shares(exchange: Exchange) -> None:
    exchange.book.shares[0, VAULT] = 1


def lose_the_oracle(exchange: Exchange) -> None:
    exchange.book.oracle[1] = 0


def lose_the_mark(exchange: Exchange) -> None:
    exchange.book.mark[0] = -1


def cross_the_book(exchange: Exchange) -> None:
    exchange.venue.ladder.key[0, 0] = usd(101)


VIOLATIONS = [
    (mint_cash, "cash_conserved"),
    (mint_position, "positions_sum_to_zero"),
    (miscount_interest, "open_interest_is_long_size"),
    (overdraw_fund, "insurance_fund_not_negative"),
    (trade_with_a_purse, "purses_hold_no_positions"),
    (pay_out_clearing, "funding_never_minted"),
    (own_negative_shares, "vault_shares_belong_to_depositors"),
    (give_a_purse_shares, "vault_shares_belong_to_depositors"),
    (lose_the_oracle, "prices_are_positive"),
    (lose_the_mark, "prices_are_positive"),
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


def random_batch(rng: np.random.Generator, exchange: Exchange, count: int) -> Orders:
    """Orders of anybody around the oracle, of every kind."""
    market = rng.integers(0, len(exchange.book.oracle), count)
    price = exchange.book.oracle[market] * rng.normal(1.0, 0.01, count)
    limit = np.where(rng.random(count) < 0.2, 0, np.maximum(price, 1))
    return Orders(
        rng.integers(VAULT, len(exchange.book.cash), count),
        market,
        rng.integers(-300, 300, count),
        limit.astype(np.int64),
        rng.choice([REST, IMMEDIATE, POST_ONLY], count),
        rng.random(count) < 0.2,
        rng.integers(0, 60, count),
        rng.integers(0, 3, count),
    )


def random_transfers(rng: np.random.Generator, exchange: Exchange, time: float) -> None:
    """Deposits, withdrawals and moves in and out of the vault."""
    account, amount = int(rng.integers(4, len(exchange.book.cash))), int(rng.integers(1, usd(5_000)))
    exchange.deposit(account, amount // 10)
    exchange.withdraw(int(rng.integers(4, len(exchange.book.cash))), amount, time)
    vault.deposit(exchange.book, exchange.parameters, account, amount // 5)
    vault.redeem(exchange.book, exchange.parameters, int(rng.integers(4, len(exchange.book.cash))), amount)


def random_venue(rng: np.random.Generator, rules: dict[str, str]) -> Exchange:
    """Twenty-five traders of modest means in two markets, with fees, a fund and a vault."""
    exchange = venue(
        *rng.uniform(500, 5_000, 25),
        prices=(100.0, 20.0),
        insurance=5_000,
        vault=20_000,
        rules={"mark": "median", "funding_interval": 300, **rules},
        impact_notional=usd(500),
        **FEES_AND_TRIGGER,
    )
    exchange.book.shares[0, ALICE] = usd(20_000)
    return exchange


def random_world(seed: int, **rules: str) -> tuple[Exchange, Counter[str]]:
    """Three hundred blocks of a violent market, its invariants checked after each act."""
    rng = stream(seed, "random world")
    exchange, seen = random_venue(rng, rules), Counter[str]()
    outside = exchange.book.oracle.astype(float)
    for block in range(1, 301):
        time = 60.0 * block
        outside *= np.exp(rng.standard_t(3, 2) * 0.008)
        exchange.observe(60.0)
        exchange.update_prices(outside.astype(np.int64), time, rng.random(2) < 0.05, 1.0)
        exchange.advance_funding(time)
        exchange.check(block, seed)
        leaving = rng.random(len(exchange.book.cash)) < 0.1
        batch, tickets = random_batch(rng, exchange, 30), rng.permutation(30)
        seen["fills"] += len(exchange.trade(batch, leaving, block, tickets))
        exchange.check(block, seed)
        judge(exchange.liquidate(outside.astype(np.int64), time, 5, rng.integers(0, 2**31, 5)), seen)
        exchange.check(block, seed)
        random_transfers(rng, exchange, time)
        exchange.check(block, seed)
    return exchange, seen


def missing_equity(exchange: Exchange) -> int:
    """Net deposits and funding under way that no account's equity shows [micro-USD]: rounding only."""
    book = exchange.book
    worth = int(accounts_risk(book, exchange.parameters)[0].sum())
    return int(book.flows[DEPOSITS] - book.flows[WITHDRAWALS]) - worth + -(-unsettled(book) // FUNDING_SCALE)


def judge(cascade: Cascade, seen: Counter[str]) -> None:
    """Count what happened; every liquidation started below maintenance and closed no more than asked."""
    orders = cascade.liquidations
    assert (orders["equity"] < orders["maintenance"]).all()
    assert (np.abs(orders["filled"]) <= np.abs(orders["size"])).all()
    assert (orders["filled"] * orders["size"] >= 0).all()
    assert (cascade.deleverages["size"] != 0).all()
    seen["liquidations"] += int((orders["filled"] != 0).sum())
    seen["takeovers"] += int((orders["outcome"] == TAKEN_OVER).sum())
    seen["deleverages"] += len(cascade.deleverages)
    for stage in cascade.payments["stage"]:
        seen[f"stage {stage}"] += 1


@pytest.mark.parametrize("seed", range(5))
def test_a_random_world_under_the_full_waterfall_breaks_no_invariant(seed: int) -> None:
    exchange, seen = random_world(seed, backstop="takeover", adl="ranked", last_resort="socialise")

    assert 0 <= missing_equity(exchange) <= len(exchange.book.cash)
    assert min(seen["fills"], seen["liquidations"]) > 50
    assert min(seen["takeovers"], seen["stage 0"]) > 0


@pytest.mark.parametrize("adl", ["queue", "ranked", "none"])
@pytest.mark.parametrize("last_resort", ["gate", "socialise"])
def test_a_random_world_breaks_no_invariant_whatever_the_rules(adl: str, last_resort: str) -> None:
    _, seen = random_world(7, adl=adl, last_resort=last_resort, mark="oracle")

    assert seen["liquidations"] > 50
    assert (seen["deleverages"] > 0) is (adl != "none")


class Venue(RuleBasedStateMachine):
    """A venue driven by arbitrary acts of four traders."""

    @initialize(
        adl=st.sampled_from(["queue", "ranked", "none"]), resort=st.sampled_from(["gate", "socialise"])
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
            liquidation_share=1_000_000,
            liquidation_maximum=usd(1e12),
            **FEES_AND_TRIGGER,
        )
        self.exchange.book.shares[0, DAVE] = usd(3_000)
        self.time = 0.0

    @rule(
        account=st.integers(VAULT, DAVE),
        size=st.integers(-60, 60).filter(bool),
        gap=st.integers(-300, 300),
        kind=st.sampled_from([REST, IMMEDIATE, POST_ONLY]),
        reduce_only=st.booleans(),
    )
    def order(self, account: int, size: int, gap: int, kind: int, reduce_only: bool) -> None:
        price = max(self.exchange.book.mark[0] / 1e6 * (1 + gap / 1e4), 0.01)
        place(self.exchange, account, size, price, kind=kind, reduce_only=reduce_only)

    @rule(factor=st.sampled_from([0.5, 0.8, 0.93, 0.97, 1.03, 1.07, 1.25, 2.0]))
    def move_price(self, factor: float) -> None:
        self.time += 60.0
        update(self.exchange, self.exchange.book.oracle[0] / 1e6 * factor, self.time)

    @rule(seconds=st.sampled_from([60, 3_600]))
    def pay_funding(self, seconds: int) -> None:
        self.time += seconds
        self.exchange.observe(float(seconds))
        self.exchange.advance_funding(self.time)

    @precondition(lambda self: len(liquidatable(self.exchange.book, self.exchange.parameters)) > 0)
    @rule(ticket=st.integers(0, 100), rounds=st.integers(1, 4))
    def liquidate(self, ticket: int, rounds: int) -> None:
        below = liquidatable(self.exchange.book, self.exchange.parameters)
        before = np.sign(self.exchange.book.size[0])
        cascade = liquidate(self.exchange, rounds, ticket, self.time)

        assert cascade.liquidations["account"][0] in below
        for account in below[below > VAULT]:
            assert self.exchange.book.size[0, account] * before[account] >= 0

    @rule(account=st.integers(ALICE, DAVE), amount=st.integers(1, usd(2_000)))
    def withdraw(self, account: int, amount: int) -> None:
        drawn = self.exchange.withdraw(account, amount, self.time)
        worth, initial, _ = risk(self.exchange, account)

        assert 0 <= drawn <= amount
        assert drawn == 0 or worth >= initial

    @rule(account=st.integers(ALICE, DAVE), amount=st.integers(1, usd(500)))
    def top_up(self, account: int, amount: int) -> None:
        self.exchange.deposit(account, amount)

    @rule(account=st.integers(ALICE, DAVE), amount=st.integers(1, usd(1_000)), joining=st.booleans())
    def visit_the_vault(self, account: int, amount: int, joining: bool) -> None:
        act = vault.deposit if joining else vault.redeem
        assert act(self.exchange.book, self.exchange.parameters, account, amount) >= 0

    @rule(initial=st.sampled_from([60_000, 100_000, 300_000]))
    def govern(self, initial: int) -> None:
        self.exchange.enact(self.exchange.parameters._replace(initial=integers(initial)))

    @invariant()
    def holds(self) -> None:
        self.exchange.check(0, 0)

    @invariant()
    def nobody_without_a_position_owes_anything(self) -> None:
        book = self.exchange.book
        idle = ~book.size[:, VAULT:].any(axis=0)

        assert (book.cash[VAULT:][idle] >= 0).all()

    @invariant()
    def equity_is_what_came_in(self) -> None:
        assert 0 <= missing_equity(self.exchange) <= len(self.exchange.book.cash)


TestVenue = Venue.TestCase
TestVenue.settings = settings(max_examples=100, stateful_step_count=50)


def test_the_same_draws_give_the_same_world() -> None:
    one, other = (random_world(3, adl="ranked", backstop="takeover")[0] for _ in range(2))

    for first, second in zip((*one.book, *one.ladder), (*other.book, *other.ladder), strict=True):
        assert (first == second).all()
