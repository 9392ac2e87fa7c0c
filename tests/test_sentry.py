"""Watching by safety radius: nobody is passed over, few are looked at, and runs stay the same to the byte."""

import numpy as np
import pytest
from campaign import Campaign
from campaign_world import World, storms_of
from hypothesis import given, settings
from hypothesis import strategies as st
from margin_rules import VENUES, margin_rules
from test_scan import crowd, put_at_maintenance
from venue import ALICE, integers, usd

from protocol.book import SHARED_ACCOUNTS, Book, exchange_position, move_cash, open_book, touch
from protocol.laws.audit import unsettled_of
from protocol.parameters import RiskParameters
from protocol.radii import LEVELS, NEVER, UNKNOWN
from protocol.scan import liquidatable, short_accounts
from protocol.sentry import Sentry
from sim.presets import preset_names
from sim.streams import stream

pytestmark = pytest.mark.kernel

MANY = 20_000
MOVES = st.sampled_from([1e-5, 1e-3, 0.02, 0.3])


def always(book: Book) -> Sentry:
    """A sentry that scans nobody as long as it may look."""
    return Sentry(book, scanned=0, look=0.0)


def walk(book: Book, draw: np.random.Generator, scale: float) -> None:
    """Move marks, oracles and funding by about `scale` of what they are."""
    for price in (book.mark, book.oracle):
        price[:] = np.maximum(price * np.exp(scale * draw.standard_normal(2)), 1)
    book.funding[:] += (scale * book.mark * draw.standard_normal((2, 2)) * 1_000).astype(np.int64)


def trade(book: Book, draw: np.random.Generator, count: int) -> None:
    """Let some traders exchange positions and money."""
    first, last = ALICE, len(book.cash)
    for taker, maker in draw.integers(first, last, (count, 2)).tolist():
        if taker != maker:
            lots = int(draw.integers(1, 10))
            exchange_position(book, taker, maker, int(draw.integers(2)), lots, lots * 1_000)
            move_cash(book, taker, maker, int(draw.integers(-(10**9), 10**9)))


@given(st.integers(0, 2**32 - 1), st.sampled_from(VENUES), MOVES, st.sampled_from([10**3, 10**6]))
@settings(max_examples=60)
def test_over_random_moves_and_trades_the_same_accounts_are_below(
    seed: int, kind: str, scale: float, largest: int
) -> None:
    book, rules, draw = crowd(seed, largest), margin_rules(kind), stream(seed, "walk")
    put_at_maintenance(book, rules, draw.integers(-(10**4), 10**9, 300))
    sentry = always(book)
    for _ in range(12):
        walk(book, draw, scale)
        trade(book, draw, int(draw.integers(0, 4)))

        assert sentry.short(book, rules).tolist() == short_accounts(book, rules).tolist()
        assert sentry.failing(book, rules).tolist() == liquidatable(book, rules).tolist()


@given(st.integers(0, 2**32 - 1), st.sampled_from(VENUES))
@settings(max_examples=25)
def test_other_parameters_are_followed_at_once(seed: int, kind: str) -> None:
    book, rules, draw = crowd(seed, 10**6), margin_rules(kind), stream(seed, "rates")
    put_at_maintenance(book, rules, draw.integers(0, 10**6, 300))
    sentry = always(book)
    before = sentry.failing(book, rules).tolist()
    tighter = rules._replace(maintenance=np.minimum(2 * rules.maintenance, rules.initial))

    assert before == []
    assert sentry.failing(book, tighter).tolist() == liquidatable(book, tighter).tolist()
    assert len(sentry.failing(book, tighter)) > (0 if kind != "gmx" else -1)
    assert sentry.failing(book, rules).tolist() == before


@given(st.integers(0, 2**32 - 1), st.sampled_from(VENUES), MOVES)
@settings(max_examples=40)
def test_deficits_at_outside_prices_are_those_of_everybody(seed: int, kind: str, gap: float) -> None:
    book, rules, draw = crowd(seed, 10**6), margin_rules(kind), stream(seed, "outside")
    put_at_maintenance(book, rules, draw.integers(-(10**6), 10**10, 300))
    sentry = always(book)
    for _ in range(4):
        walk(book, draw, 0.002)
        prices = np.maximum(book.mark * np.exp(gap * draw.standard_normal(2)), 1).astype(np.int64)
        equity = book.cash + unsettled_of(book) + prices @ (book.size + book.collateral)

        assert sentry.deficit(book, rules, prices) == int(np.maximum(-equity[10:], 0).sum())


def levered(count: int) -> tuple[Book, RiskParameters]:
    """A crowd of longs and shorts at leverages from 2 to 20 in two markets."""
    rules, draw = margin_rules("dydx"), stream(5, "levered")
    book = open_book(ALICE + count, integers(usd(800), usd(195)))
    side = np.where(draw.random(count) < 0.5, 1, -1)
    market = draw.integers(0, 2, count)
    book.size[market, np.arange(ALICE, ALICE + count)] = 100 * side
    notional = 100 * book.mark[market]
    book.cash[ALICE:] = notional / draw.uniform(2, 20, count) - side * notional
    return book, rules


def test_a_quiet_block_looks_at_few_and_a_change_at_one() -> None:
    book, rules = levered(MANY)
    sentry, looked = always(book), []
    assert sentry.watch is not None
    gather = sentry.watch.gather

    def counted(word: int, total: int) -> np.ndarray:
        looked.append(total)
        return gather(word, total)

    sentry.watch.gather = counted  # type: ignore[method-assign]
    sentry.failing(book, rules)
    sentry.failing(book, rules)
    touch(book, ALICE + 7)
    sentry.failing(book, rules)
    book.mark[:] = book.mark * 1.0005
    sentry.failing(book, rules)

    assert looked[0] == len(book.cash)
    assert looked[1:3] == [SHARED_ACCOUNTS, SHARED_ACCOUNTS + 1]
    assert looked[3] < 0.002 * MANY


def test_only_what_is_touched_is_seen_without_a_move() -> None:
    """The negative control: a sentry that looked at everybody would see the change that nobody noted."""
    book, rules = levered(200)
    sentry = always(book)
    before = sentry.failing(book, rules).tolist()
    book.cash[ALICE] -= usd(1e9)
    unseen = sentry.failing(book, rules).tolist()
    touch(book, ALICE)

    assert unseen == before
    assert sentry.failing(book, rules).tolist() == [ALICE, *before]


def test_a_violent_move_is_scanned_and_lasting_violence_is_learned() -> None:
    book, rules = levered(MANY)
    sentry = Sentry(book, scanned=0)
    assert sentry.watch is not None
    while sentry.watch.radii.members[UNKNOWN] > SHARED_ACCOUNTS or not sentry.watch.radii.members[NEVER]:
        sentry.failing(book, rules)
    scans = 0
    for step in range(1, 40):
        book.mark[:] = book.mark * (0.93 if step % 2 else 1 / 0.93)
        spent = sentry.spent
        assert sentry.failing(book, rules).tolist() == liquidatable(book, rules).tolist()
        scans += sentry.spent > spent

    assert 20 < scans < 39


def test_levels_count_every_account_once() -> None:
    book, rules = levered(500)
    sentry, draw = always(book), stream(3, "levels")
    assert sentry.watch is not None
    for _ in range(20):
        walk(book, draw, 0.01)
        sentry.failing(book, rules)
        radii = sentry.watch.radii

        assert radii.members.tolist() == np.bincount(radii.level, minlength=LEVELS).tolist()
        assert radii.members[NEVER] >= ALICE - SHARED_ACCOUNTS


class Watched(Campaign):
    """A campaign whose exchange looks by radius and books by touch, however few accounts it has."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.exchange.sentry = always(self.exchange.book)

    def _require(self, broken: list[str], phase: str) -> None:
        """The laws of a campaign, and that nothing changes unnoticed."""
        book, ledger = self.exchange.book, self.exchange.ledger
        if not (ledger.balances(book, whole=False) and ledger.complete(book)):
            broken = [*broken, "the ledger does not follow the book"]
        super()._require(broken, phase)


@pytest.mark.parametrize("preset", preset_names())
def test_random_worlds_liquidate_the_same_in_the_same_order(preset: str) -> None:
    sold = 0
    for seed in (11, 12, 13):
        world = World(preset, seed, storms_of(seed))
        scanning, watching = Campaign(world), Watched(world)

        assert scanning.run(60) == watching.run(60)
        assert scanning.digest() == watching.digest()
        sold += sum(scanning.seen[f"liquidation {name}"] for name in ("partial", "filled", "vault"))
    assert sold > 0
