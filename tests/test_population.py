"""Who lives on the venue and what they bring: sizes, hedges, money, and roles without accounts."""

import numpy as np
import pytest
from small import calm, crash, equity, opened, sight

from protocol.arithmetic import MICRO
from protocol.book import INSURANCE, VAULT, first_trader, share_rows
from protocol.laws.invariants import violated
from sim.frames import Tables
from sim.model import Model
from sim.population import account_count, endow

NOBODY = (
    "agents.market_makers.accounts=0",
    "agents.liquidators.accounts=0",
    "agents.depositors.accounts=0",
)
SOLANA = (
    "protocol.markets.SOL={lot: 0.1, tick: 0.01, initial_margin: 0.05, maintenance_margin: 0.03}",
    "world.prices.points=[{at: 0s, BTC: 42000, ETH: 2300, SOL: 100}]",
    "world.prices.volatility={SOL: 1.0}",
    "world.depth.within_1pct={SOL: 1.0e+6}",
    "world.depth.calm_volatility={SOL: 1.0}",
)


def test_accounts_are_shared_out_without_gap_or_overlap() -> None:
    with opened(calm()) as model:
        owned = np.concatenate([role.accounts for role in model.people.roles if role.name != "vault"])

    np.testing.assert_array_equal(owned, np.arange(first_trader(2), account_count(calm())))
    assert account_count(calm()) == 4 + 2 * 3 + 500 + 8 + 6 + 10 + 20


@pytest.mark.parametrize("share", [0.15, 1.0])
@pytest.mark.parametrize("long_share", [0.56, 0.35])
def test_the_crowds_long_side_is_the_venues_share_of_open_interest(share: float, long_share: float) -> None:
    scenario = calm(f"world.share={share}", f"agents.retail.long_share={long_share}")
    with opened(scenario) as model:
        size = model.exchange.book.size[:, model.people.retail.accounts]
        longs = model.exchange.book.mark @ np.maximum(size, 0).sum(axis=1) / MICRO

    assert longs == pytest.approx(share * scenario.world.open_interest, rel=1e-4)


def test_sizes_sum_to_zero_and_every_law_of_the_venue_holds_at_the_start() -> None:
    with opened(calm()) as model:
        book = model.exchange.book

        assert violated(book, model.exchange.venue) == []
        assert (book.open_interest > 0).all()


def test_nobody_starts_near_a_liquidation() -> None:
    with opened(calm("agents.retail.leverage.median=50")) as model:
        equity, _, maintenance = sight(model).risk

    assert (equity >= 1.5 * maintenance).all()


def test_arbitrageurs_carry_what_the_crowd_leaves_open_and_start_hedged() -> None:
    with opened(calm()) as model:
        book, carriers = model.exchange.book, model.people.arbitrageurs.accounts
        crowd = book.size[:, model.people.retail.accounts].sum(axis=1)
        carried = book.size[:, carriers]
        hedged = model.outside.size[:, carriers]
        worth = model.recorder.outside_worth()[carriers]

    np.testing.assert_array_equal(carried.sum(axis=1), -crowd)
    np.testing.assert_array_equal(hedged, -carried)
    np.testing.assert_allclose(worth, model.people.arbitrageurs.capital)


def test_opening_positions_cost_nothing() -> None:
    with opened(calm()) as model:
        people, equity = model.people, sight(model).risk[0]
        brought = np.concatenate(
            [people.retail.accounts, people.makers.accounts, people.arbitrageurs.accounts]
        )

        np.testing.assert_array_equal(equity[brought], model.exchange.deposited[brought])


def test_the_fund_and_the_vault_open_with_what_the_scenario_gives_them() -> None:
    with opened(calm("protocol.insurance_fund=123.0", "protocol.vault.deposits=1.0e+6")) as model:
        book = model.exchange.book

        assert equity(model, INSURANCE) == 123.0
        assert equity(model, VAULT) == pytest.approx(1e6, abs=1e-4)
        assert book.shares.sum() == book.cash[VAULT]
        assert not book.cash[model.people.depositors.accounts].any()


def test_impact_purses_open_with_what_the_scenario_gives_them() -> None:
    money = ("protocol.markets.BTC.pool.impact_pool=2500", "protocol.markets.ETH.pool.impact_pool=1000")
    with opened(calm("protocol.preset=gmx_v2", *money)) as model:
        book = model.exchange.book

        assert book.cash[book.impact].tolist() == [2_500 * MICRO, 1_000 * MICRO]


def test_a_deposit_that_buys_no_share_stops_the_run() -> None:
    with opened(calm()) as model:
        exchange = model.exchange
        exchange.buy_shares = lambda *_: 0
        with pytest.raises(ValueError, match=r"a deposit must buy shares, got 0 for \d+ micro-USD into"):
            endow(exchange, model.people, model.scenario)


def test_a_vault_that_neither_quotes_nor_takes_over_is_no_agent() -> None:
    with opened(calm("protocol.vault.quotes=false")) as model:
        assert model.people.vault is None
        assert len(model.people.roles) == 6


@pytest.mark.parametrize(
    "overrides",
    [
        *[(name,) for name in NOBODY],
        NOBODY,
        ("protocol.insurance_fund=0", "protocol.vault.deposits=0"),
        ("agents.retail.accounts=1", "agents.arbitrageurs.accounts=1"),
        ("agents.retail.holding=0",),
        ("agents.retail.market_weights={BTC: 1.0, ETH: 0.0}",),
        ("clock.block=5m", "protocol.funding.interval=60s"),
        ("protocol.mark=median",),
    ],
)
def test_a_venue_lives_without_some_of_its_people(overrides: tuple[str, ...]) -> None:
    with opened(crash(*overrides)) as model:
        advance(model, 80 if model.seconds == 60 else 20)

        assert (model.exchange.book.oracle > 0).all()


@pytest.mark.parametrize(
    "overrides", [SOLANA, ("protocol.markets.ETH=none",), ("protocol.markets.BTC=none",)]
)
def test_a_venue_may_have_one_market_or_three(overrides: tuple[str, ...]) -> None:
    with opened(calm(*overrides)) as model:
        advance(model, 5)
        count = len(model.scenario.markets)

        assert (model.exchange.book.size != 0).any(axis=1).tolist() == [True] * count
        assert (model.exchange.quotes().bid > 0).tolist() == [True] * count


@pytest.mark.parametrize("preset", ["gmx_v2", "synthetix_v3"])
def test_in_a_pool_the_pool_carries_what_the_crowd_leaves_open(preset: str) -> None:
    with opened(calm(f"protocol.preset={preset}")) as model:
        book, people = model.exchange.book, model.people
        crowd = book.size[:, people.retail.accounts].sum(axis=1)

        np.testing.assert_array_equal(book.size[np.arange(2), book.counterparty], -crowd)
        assert not book.size[:, people.arbitrageurs.accounts].any()
        assert not model.outside.size.any()
        assert violated(book, model.exchange.venue) == []


def test_beside_an_amm_arbitrageurs_carry_what_the_crowd_leaves_open() -> None:
    with opened(calm("protocol.preset=drift")) as model:
        book, carriers = model.exchange.book, model.people.arbitrageurs.accounts
        crowd = book.size[:, model.people.retail.accounts].sum(axis=1)

        np.testing.assert_array_equal(book.size[:, carriers].sum(axis=1), -crowd)
        assert not book.size[:, book.counterparty].any()


LIQUIDITY = [f"protocol.markets.{market}.liquidity={usd}" for market, usd in (("BTC", 6e7), ("ETH", 4e7))]


@pytest.mark.parametrize(
    ("preset", "worth"), [("gmx_v2", [6e7, 4e7]), ("drift", [6e7, 4e7]), ("synthetix_v3", [1e8, 1e8])]
)
def test_pools_open_with_what_providers_bring_and_owe_it_to_them(preset: str, worth: list[float]) -> None:
    with opened(calm(f"protocol.preset={preset}", *LIQUIDITY)) as model:
        book, exchange = model.exchange.book, model.exchange
        rows = share_rows(book.counterparty)

        assert [equity(model, int(pool)) for pool in book.counterparty] == pytest.approx(worth, abs=1e-3)
        np.testing.assert_allclose(book.shares[rows].sum(axis=1) / MICRO, worth, atol=1e-3)
        np.testing.assert_allclose(exchange.share_prices(), 1.0, atol=1e-9)
        assert not book.cash[model.people.depositors.accounts].any()


def test_isolated_markets_are_held_by_those_whose_turn_it_is() -> None:
    alone = [f"protocol.markets.{market}.isolated=true" for market in ("BTC", "ETH")]
    with opened(calm(*alone), blocks=5) as model:
        held = np.count_nonzero(model.exchange.book.size, axis=0)
        people = model.people

        for role in (people.retail, people.arbitrageurs, people.makers, people.liquidators):
            assert held[role.accounts].max() <= 1
        assert model.exchange.book.open_interest.all()


ACTORS = "agents.actors={whale: {accounts: 2, cash: 5000}, shark: {cash: 7}}"


def test_actors_stand_behind_the_crowd_with_their_names_and_their_cash() -> None:
    with opened(calm(ACTORS)) as model:
        whale, shark = model.people.actors
        count = account_count(calm())
        cash = model.exchange.book.cash

        assert (whale.name, shark.name) == ("whale", "shark")
        assert [whale.accounts.tolist(), shark.accounts.tolist()] == [[count, count + 1], [count + 2]]
        assert cash[count:].tolist() == [5_000 * MICRO, 5_000 * MICRO, 7 * MICRO]
        assert [role.name for role in model.people.roles[-2:]] == ["whale", "shark"]
        assert violated(model.exchange.book, model.exchange.venue) == []


def test_actors_leave_everybody_else_as_they_were() -> None:
    with opened(calm(), blocks=5) as without, opened(calm(ACTORS), blocks=5) as model:
        count = account_count(calm())

        np.testing.assert_array_equal(model.exchange.book.size[:, :count], without.exchange.book.size)
        np.testing.assert_array_equal(model.exchange.book.cash[:count], without.exchange.book.cash)


def people(*overrides: str) -> dict[str, int]:
    """First account of each role that has any."""
    with opened(calm(*overrides)) as model:
        return {role.name: int(role.accounts[0]) for role in model.people.roles if len(role.accounts)}


@pytest.mark.parametrize("role", ["retail", "market_makers", "arbitrageurs", "liquidators", "depositors"])
def test_who_is_absent_brings_nothing_does_nothing_and_the_venue_lives(role: str) -> None:
    gone = people()[role]
    with opened(crash(f"agents.absent=[{gone}]"), blocks=75) as model:
        accounts = Tables(model.recorder).all()["accounts"].set_index("account")
        touched = {
            column: set(model.recorder.events[name].whole().rows[column].tolist())
            for name, column in (("liquidations", "account"), ("deleverages", "counterparty"))
        }

    assert not accounts.loc[gone, ["brought", "equity_end", "pnl", "gas_paid"]].any()
    assert (accounts.drop(index=gone)["brought"] > 0).mean() > 0.9
    assert not model.exchange.book.size[:, gone].any()
    assert gone not in touched["account"] | touched["counterparty"]


def test_an_absence_leaves_what_all_others_bring() -> None:
    """But for arbitrageurs, who carry what the crowd leaves open without him."""
    gone = people()["retail"] + 7
    with opened(crash()) as whole, opened(crash(f"agents.absent=[{gone}]")) as model:
        others = np.ones(account_count(crash()), np.bool_)
        others[[gone, *whole.people.arbitrageurs.accounts]] = False
        before, after = whole.exchange.book, model.exchange.book

    assert before.size[:, gone].any()
    np.testing.assert_array_equal(after.size[:, others], before.size[:, others])
    np.testing.assert_array_equal(after.cash[others], before.cash[others])
    assert not after.size.sum(axis=1).any()


def test_the_position_of_an_absent_arbitrageur_is_carried_by_the_others() -> None:
    gone = people()["arbitrageurs"]
    with opened(crash()) as whole, opened(crash(f"agents.absent=[{gone}]")) as model:
        accounts = whole.people.arbitrageurs.accounts
        before, after = whole.exchange.book.size[:, accounts], model.exchange.book.size[:, accounts]

    assert before[:, 0].all()
    assert not after[:, 0].any()
    assert after.sum(axis=1).tolist() == before.sum(axis=1).tolist()


def test_somebody_must_carry_what_the_crowd_leaves_open() -> None:
    first = people()["arbitrageurs"]
    with (
        pytest.raises(ValueError, match="an arbitrageur must be there"),
        opened(crash(f"agents.absent={list(range(first, first + 6))}")),
    ):
        pass


def advance(model: Model, blocks: int) -> None:
    for _ in range(blocks):
        model.step()
