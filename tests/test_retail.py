"""Retail: what they bring, when they wake, which side they take, how they leave."""

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import pytest
from small import calm, crash, equity, give, opened, set_equity, sight

from agents.retail import Retail
from agents.role import DEPOSIT, WITHDRAW, hedge_toward
from protocol.arithmetic import MICRO, PPM
from sim.model import Model
from sim.presets import preset_names
from sim.problems import ScenarioError

EVERYBODY = "agents.retail.attention=1.0e+6"
CROWD = "agents.retail.accounts=4000"
FLAT = "agents.retail.holding=0"


@pytest.fixture
def model() -> Iterator[Model]:
    """Nobody wakes by chance; margins are looked at all the time."""
    with opened(calm("agents.retail.attention=0", "agents.retail.top_up_rate=1.0e+6")) as model:
        yield model


def holder(retail: Retail, model: Model, **traits: bool) -> int:
    """Position within the role of the first long that has the given traits."""
    fits = model.exchange.book.size[0, retail.accounts] > 0
    for name, wanted in traits.items():
        fits &= getattr(retail.traits, name) == wanted
    return int(np.flatnonzero(fits)[0])


def set_relative_equity(model: Model, index: int, share: float) -> None:
    retail = model.people.retail
    set_equity(model, retail.accounts[index], share * retail.opening_equity[index] / MICRO)


def maintenance(model: Model, account: int) -> float:
    return sight(model).risk[2, account] / MICRO


def test_longs_reach_the_open_interest_and_the_long_share(model: Model) -> None:
    book, settings = model.exchange.book, model.scenario.world
    notional = book.mark @ book.size[:, model.people.retail.accounts]
    longs, shorts = notional[notional > 0].sum() / MICRO, -notional[notional < 0].sum() / MICRO

    assert longs == pytest.approx(settings.share * settings.open_interest, rel=1e-4)
    assert longs / (longs + shorts) == pytest.approx(0.56, rel=1e-4)


def test_positions_lie_within_the_venues_leverage() -> None:
    with opened(calm("agents.retail.leverage.median=80", CROWD)) as model:
        equity, initial, _ = sight(model).risk[:, model.people.retail.accounts]

    assert (initial < equity)[initial > 0].mean() > 0.99
    assert (initial > 0.85 * equity).mean() > 0.3


def test_the_largest_account_is_cut_and_weights_have_mean_one() -> None:
    with opened(calm(CROWD, "agents.retail.equity_sigma=4")) as model:
        weight = model.people.retail.traits.weight

    assert weight.mean() == pytest.approx(1)
    assert weight.max() / weight.sum() < 0.021


@pytest.mark.parametrize(("correlation", "expected"), [(-0.4, -0.4), (0.0, 0.0), (0.9, 0.9)])
def test_leverage_follows_size_as_told(correlation: float, expected: float) -> None:
    with opened(calm(CROWD, f"agents.retail.leverage.size_correlation={correlation}")) as model:
        retail = model.people.retail
        below = retail.traits.weight < retail.traits.weight.max()
        found = np.corrcoef(np.log(retail.traits.weight[below]), np.log(retail.traits.leverage[below]))[0, 1]

    assert found == pytest.approx(expected, abs=0.08)  # five standard errors


def test_a_stop_loss_closes_the_position(model: Model) -> None:
    retail = model.people.retail
    index = holder(retail, model, has_stop=True, has_target=False, watches=False)
    account, lots = retail.accounts[index], model.exchange.book.size[0, retail.accounts[index]]

    set_relative_equity(model, index, 0.51)
    before = retail.act(sight(model)).orders
    set_relative_equity(model, index, 0.49)
    after = retail.act(sight(model)).orders

    assert len(before.account) == 0
    assert (after.account.tolist(), after.market.tolist(), after.size.tolist()) == ([account], [0], [-lots])
    assert after.reduce_only.all()
    assert after.limit[0] == int(sight(model).mid[0] * 0.99)


def test_a_profit_target_closes_the_position(model: Model) -> None:
    retail = model.people.retail
    index = holder(retail, model, has_stop=False, has_target=True)

    set_relative_equity(model, index, 1.39)
    before = retail.act(sight(model)).orders
    set_relative_equity(model, index, 1.41)
    after = retail.act(sight(model)).orders

    assert len(before.account) == 0
    assert after.account.tolist() == [retail.accounts[index]]


def test_who_has_neither_stop_nor_target_holds_on(model: Model) -> None:
    retail = model.people.retail
    index = holder(retail, model, has_stop=False, has_target=False, watches=False)

    for share in (0.1, 5.0):
        set_relative_equity(model, index, share)

        assert len(retail.act(sight(model)).orders.account) == 0


def test_a_top_up_restores_the_margin_as_far_as_the_wallet_reaches(model: Model) -> None:
    retail = model.people.retail
    index = holder(retail, model, watches=True, has_stop=False)
    account = retail.accounts[index]
    need = maintenance(model, account)

    set_equity(model, account, 1.5 * need)
    rich = retail.act(sight(model)).transfers
    model.outside.cash[account] = 0.2 * need * MICRO
    poor = retail.act(sight(model)).transfers

    assert rich.account.tolist() == poor.account.tolist() == [account]
    assert rich.kind.tolist() == [DEPOSIT]
    assert rich.amount[0] == pytest.approx(1.5 * need * MICRO, abs=2)
    assert poor.amount[0] == pytest.approx(0.2 * need * MICRO, abs=2)


def test_only_the_watchful_top_up_and_only_when_margin_is_near(model: Model) -> None:
    retail = model.people.retail
    careless, watchful = (
        retail.accounts[holder(retail, model, watches=watches, has_stop=False)] for watches in (False, True)
    )
    set_equity(model, careless, 1.1 * maintenance(model, careless))
    set_equity(model, watchful, 1.7 * maintenance(model, watchful))

    assert len(retail.act(sight(model)).transfers.account) == 0


def test_a_top_up_is_not_a_profit(model: Model) -> None:
    retail = model.people.retail
    index = holder(retail, model, watches=True, has_target=True, has_stop=False)
    account = retail.accounts[index]
    give(model, account, 20 * model.exchange.book.size[0, account])
    retail.opening_equity[index] = 1.6 * maintenance(model, account) * MICRO
    model.outside.cash[account] = 10 * retail.opening_equity[index]
    set_equity(model, account, 1.5 * maintenance(model, account))

    model._transfer(retail.act(sight(model)).transfers)

    assert equity(model, account) == pytest.approx(3.0 * maintenance(model, account))
    assert len(retail.act(sight(model)).orders.account) == 0


@pytest.mark.parametrize("trend", [5.0, -5.0])
def test_momentum_follows_the_trend_and_contrarians_fight_it(trend: float) -> None:
    with opened(calm(EVERYBODY, FLAT, CROWD, "agents.retail.entry=1", "agents.retail.caution=0")) as model:
        retail = model.people.retail
        wanted = retail.act(sight(model, trend=np.full(2, trend))).orders
        style = retail.traits.style[wanted.account - retail.accounts[0]]

    with_trend = np.sign(wanted.size) == np.sign(trend)
    assert with_trend[style == 1].mean() > 0.97
    assert with_trend[style == -1].mean() < 0.03
    assert with_trend[style == 0].mean() == pytest.approx(0.56 if trend > 0 else 0.44, abs=0.08)


def test_without_a_trend_every_style_leans_to_the_long_side_alike() -> None:
    with opened(calm(EVERYBODY, FLAT, CROWD, "agents.retail.entry=1", "agents.retail.caution=0")) as model:
        retail = model.people.retail
        wanted = retail.act(sight(model, trend=np.zeros(2))).orders
        style = retail.traits.style[wanted.account - retail.accounts[0]]

    for kind in (1, 0, -1):
        assert (wanted.size[style == kind] > 0).mean() == pytest.approx(0.56, abs=0.08)  # five std. errors


def test_entries_shrink_with_the_volatility() -> None:
    entries = {}
    with opened(calm(EVERYBODY, FLAT, CROWD, "agents.retail.entry=1", "agents.retail.caution=0.5")) as model:
        for factor in (1.0, 16.0):
            view = sight(model, volatility=factor * model.world.calm_volatility)
            entries[factor] = len(model.people.retail.act(view).orders.account)

    assert entries[1.0] == 4000
    assert entries[16.0] == pytest.approx(1000, abs=5 * np.sqrt(750))


def test_greed_buys_and_fear_sells_and_keeps_away() -> None:
    found = {}
    with opened(calm(EVERYBODY, FLAT, CROWD, "agents.retail.entry=0.5", "agents.retail.caution=0")) as model:
        for mood in (-1.0, 0.0, 0.5):
            wanted = model.people.retail.act(sight(model, trend=np.zeros(2), sentiment=mood)).orders
            found[mood] = len(wanted.size), (wanted.size > 0).mean()

    lean = NormalDist().inv_cdf(0.56)
    for mood, (entries, longs) in found.items():
        share = 0.5 * np.exp(mood)
        assert entries == pytest.approx(4000 * share, abs=5 * np.sqrt(4000 * share * (1 - share)))
        assert longs == pytest.approx(NormalDist().cdf(lean + 0.6 * mood), abs=2.5 / np.sqrt(entries))


def test_an_entry_has_the_accounts_own_leverage_within_the_venues_limit() -> None:
    with opened(calm(EVERYBODY, FLAT, "agents.retail.entry=1", "agents.retail.caution=0")) as model:
        retail, view = model.people.retail, sight(model)
        wanted = retail.act(view).orders
        index = wanted.account - retail.accounts[0]
        leverage = np.abs(wanted.size) * view.mid[wanted.market] / view.risk[0, wanted.account]
        lot = view.mid[wanted.market] / view.risk[0, wanted.account]
        limit = wanted.limit / view.mid[wanted.market] - 1

    expected = np.minimum(retail.traits.leverage[index], 0.9 / 0.02)
    assert (leverage <= expected).all()
    assert (leverage > expected - lot).all()
    np.testing.assert_array_equal(wanted.market, retail.traits.home[index])
    np.testing.assert_allclose(limit, 0.01 * np.sign(wanted.size), atol=1e-5)


def test_holders_close_and_the_flat_do_not() -> None:
    with opened(calm(EVERYBODY, "agents.retail.exit=1", "agents.retail.entry=0")) as model:
        retail, book = model.people.retail, model.exchange.book
        wanted = retail.act(sight(model)).orders
        held = book.size[wanted.market, wanted.account]
        holding = np.count_nonzero(book.size[:, retail.accounts])

    assert len(wanted.account) == holding
    np.testing.assert_array_equal(wanted.size, -held)
    assert wanted.reduce_only.all()


def test_the_ruined_come_back_with_half_their_money_while_the_wallet_lasts() -> None:
    with opened(calm(EVERYBODY, FLAT, "agents.retail.entry=0")) as model:
        retail = model.people.retail
        for index, share in ((0, 0.05), (1, 0.5)):
            set_equity(model, retail.accounts[index], share * retail.start_cash[index] / MICRO)
        moves = retail.act(sight(model)).transfers
        model._transfer(moves)
        again = retail.act(sight(model)).transfers

    assert (moves.account.tolist(), moves.kind.tolist()) == ([retail.accounts[0]], [DEPOSIT])
    assert moves.amount[0] == pytest.approx(0.5 * retail.start_cash[0], abs=1)
    assert len(again.account) == 0


def test_winners_take_half_of_what_exceeds_twice_their_start() -> None:
    with opened(calm(EVERYBODY, FLAT, "agents.retail.entry=0")) as model:
        retail = model.people.retail
        set_equity(model, retail.accounts[0], 3 * retail.start_cash[0] / MICRO)
        moves = retail.act(sight(model)).transfers

    assert (moves.account.tolist(), moves.kind.tolist()) == ([retail.accounts[0]], [WITHDRAW])
    assert moves.amount[0] == pytest.approx(0.5 * retail.start_cash[0], abs=1)


def taken(initial: float, maintenance: float, *markets: str) -> tuple[str, ...]:
    """Settings of a venue that takes the assets of some markets."""
    weights = f"{{initial_weight: {initial}, maintenance_weight: {maintenance}}}"
    return tuple(f"protocol.markets.{market}.collateral={weights}" for market in markets)


BOTH = taken(0.7, 0.8, "BTC", "ETH")


def test_assets_give_the_margin_that_cash_would_have_given() -> None:
    with (
        opened(calm(*BOTH)) as model,
        opened(calm(*BOTH, "agents.retail.asset_collateral=0.5", CROWD)) as half,
        opened(calm(*BOTH, "agents.retail.asset_collateral=1")) as all_of_them,
    ):
        accounts, book = model.people.retail.accounts, all_of_them.exchange.book
        plain, assets = (sight(each).risk[:, accounts] for each in (model, all_of_them))
        a_lot = 0.7 * book.mark.max()
        home = all_of_them.people.retail.traits.home
        counted = (book.mark @ book.collateral[:, accounts]) * 0.8 + book.cash[accounts]
        start = all_of_them.people.retail.start_cash
        share = np.mean(half.exchange.book.collateral[:, half.people.retail.accounts].any(axis=0))

    np.testing.assert_array_equal(book.size[:, accounts], model.exchange.book.size[:, accounts])
    np.testing.assert_allclose(assets[0] - assets[1], plain[0] - plain[1], atol=2)
    assert (assets[0] >= plain[0] - 2).all()
    assert not book.collateral[1 - home, accounts].any()
    assert (book.cash[accounts] + book.mark @ book.size[:, accounts] < a_lot + 1).all()
    np.testing.assert_allclose(start, counted + book.mark @ book.size[:, accounts], atol=2)
    assert share == pytest.approx(0.5, abs=0.05)  # five standard errors, and the poorest have no lot


def test_who_brings_assets_is_drawn_apart_from_everything_else() -> None:
    with opened(calm(*BOTH)) as without, opened(calm(*BOTH, "agents.retail.asset_collateral=0.3")) as model:
        for trait in ("style", "home", "has_stop", "has_target", "watches", "leverage", "weight"):
            np.testing.assert_array_equal(
                getattr(model.people.retail.traits, trait), getattr(without.people.retail.traits, trait)
            )
        np.testing.assert_array_equal(model.exchange.book.size, without.exchange.book.size)
        np.testing.assert_array_equal(model.outside.cash, without.outside.cash)


def test_an_asset_that_the_venue_does_not_take_stays_at_home() -> None:
    with opened(calm(*taken(0.7, 0.8, "ETH"), "agents.retail.asset_collateral=1")) as model:
        retail, book = model.people.retail, model.exchange.book
        brought = book.collateral[:, retail.accounts].sum(axis=1)

    assert brought[0] == 0
    assert brought[1] > 0
    assert (
        retail.start_cash[retail.traits.home == 0]
        == model.exchange.deposited[retail.accounts][retail.traits.home == 0]
    ).all()


def test_an_entry_on_assets_keeps_to_what_they_count_for_at_first() -> None:
    wishes = (EVERYBODY, FLAT, "agents.retail.entry=1", "agents.retail.caution=0", *BOTH)
    with (
        opened(calm(*wishes)) as model,
        opened(calm(*wishes, "agents.retail.asset_collateral=1")) as assets,
    ):
        plain, wanted = (each.people.retail.act(sight(each)).orders for each in (model, assets))

    np.testing.assert_array_equal(wanted.account, plain.account)
    np.testing.assert_allclose(wanted.size, plain.size, atol=1)


def test_accounts_that_bind_themselves_are_held_to_their_leverage() -> None:
    with opened(calm("agents.retail.leverage.binding=0.5", CROWD)) as half, opened(calm(CROWD)) as free:
        retail, book = half.people.retail, half.exchange.book
        own, notional = book.own_initial[retail.accounts], book.mark @ np.abs(book.size[:, retail.accounts])
        risk, ordinary = (sight(each).risk[:, retail.accounts] for each in (half, free))
        bound = own > 0

        np.testing.assert_array_equal(book.size, free.exchange.book.size)
        np.testing.assert_array_equal(book.cash, free.exchange.book.cash)
    assert np.mean(bound) == pytest.approx(0.5, abs=0.05)
    assert not free.exchange.book.own_initial.any()
    np.testing.assert_allclose(risk[1, bound], (notional * own / PPM)[bound], rtol=1e-6, atol=2)
    np.testing.assert_array_equal(risk[1, ~bound], ordinary[1, ~bound])
    np.testing.assert_array_equal(risk[2], ordinary[2])
    holds = bound & (notional > 1000 * MICRO)
    assert (risk[1, holds] <= 0.91 * risk[0, holds]).all()
    assert np.median(risk[1, holds] / risk[0, holds]) == pytest.approx(0.9, rel=1e-3)


def test_assets_need_a_venue_that_takes_one() -> None:
    rule = r"agents\.retail: asset_collateral needs a market that takes its asset"
    with pytest.raises(ScenarioError, match=rule):
        calm("agents.retail.asset_collateral=0.5")


HEDGERS = "agents.retail.hedgers=0.3"
CARRIERS = "agents.retail.carriers=0.3"


def test_hedgers_are_short_what_they_own() -> None:
    with opened(calm(HEDGERS, CROWD)) as model:
        retail, book = model.people.retail, model.exchange.book
        hedges = retail.traits.hedges
        held = book.size[:, retail.accounts]
        owned = model.outside.size[:, retail.accounts]

    assert hedges.mean() == pytest.approx(0.3, abs=0.04)
    assert (held[:, hedges] <= 0).all()
    np.testing.assert_array_equal(owned[:, hedges], -held[:, hedges])
    assert not owned[:, ~hedges].any()
    assert not (retail.traits.has_stop | retail.traits.has_target)[hedges].any()


def test_hedgers_open_short_whatever_the_trend() -> None:
    with opened(
        calm(HEDGERS, CROWD, FLAT, EVERYBODY, "agents.retail.entry=1", "agents.retail.caution=0")
    ) as m:
        wanted = m.people.retail.act(sight(m, trend=np.array([9.0, 9.0]))).orders
        first = m.people.retail.accounts[0]
        hedges = m.people.retail.traits.hedges[wanted.account - first]

    assert (wanted.size[hedges] < 0).all()
    assert hedges.sum() > 500
    assert np.mean(wanted.size[~hedges] > 0) > 0.4


@pytest.mark.parametrize(("funding", "side"), [(5e-4, -1), (-5e-4, 1), (1e-4, 0), (-1e-4, 0)])
def test_carriers_stand_on_the_side_that_funding_pays_if_it_pays_enough(funding: float, side: int) -> None:
    with opened(calm(CARRIERS, CROWD, FLAT, EVERYBODY)) as model:
        retail = model.people.retail
        wanted = retail.act(sight(model, funding_rate=np.full(2, funding))).orders
        sides = np.sign(wanted.size[retail.traits.carries[wanted.account - retail.accounts[0]]])

    assert set(sides) == ({side} if side else set())
    assert len(sides) > 500 or side == 0


@pytest.mark.parametrize(("funding", "leave"), [(5e-4, False), (-5e-4, True)])
def test_carriers_leave_when_they_have_to_pay(funding: float, leave: bool) -> None:
    with opened(calm(CARRIERS, CROWD, EVERYBODY, "agents.retail.holding=1")) as model:
        retail = model.people.retail
        actions = retail.act(sight(model, funding_rate=np.full(2, funding)))
        carries = retail.traits.carries[actions.orders.account - retail.accounts[0]]

    assert (actions.orders.size[carries] > 0).all()
    assert carries.any() == leave


def test_carriers_who_are_asked_are_all_who_have_something_to_hedge() -> None:
    """Block after block of a crash that also closes positions of theirs."""
    hedged = 0
    with opened(crash(CARRIERS, "agents.retail.accounts=1500")) as model:
        retail = model.people.retail
        for _ in range(90):
            model.step()
            view = sight(model)
            target = -view.book.size[:, retail.carriers].astype(float)
            expected = hedge_toward(view, retail.carriers, target, 1.0, np.zeros((1, 1)))
            found = retail._hedge(view)

            assert sorted(zip(*found, strict=True)) == sorted(zip(*expected, strict=True))
            hedged += len(found.account)

    assert hedged > 20


def test_carriers_hold_the_opposite_outside() -> None:
    with opened(calm(CARRIERS, CROWD)) as model:
        retail = model.people.retail
        index = int(np.flatnonzero(retail.traits.carries & (retail.traits.home == 0))[0])
        account = int(retail.accounts[index])
        settled = retail.act(sight(model)).hedges
        give(model, account, 700)
        moved = retail.act(sight(model)).hedges

    owned = model.outside.size[0, account]
    assert len(settled.lots) == 0
    assert (moved.account.tolist(), moved.market.tolist()) == ([account], [0])
    assert moved.lots[0] == pytest.approx(-700 - owned)


def test_a_trend_against_a_position_frightens_some_out_of_it() -> None:
    still = (
        "agents.retail.exit=0",
        "agents.retail.stops=0",
        "agents.retail.targets=0",
        "agents.retail.entry=0",
    )
    with opened(calm(CROWD, EVERYBODY, "agents.retail.panic=0.2", *still)) as model:
        retail = model.people.retail
        down = retail.act(sight(model, trend=np.array([-4.0, -4.0]))).orders
        flat = retail.act(sight(model, trend=np.array([-2.0, 2.0]))).orders
        longs = (model.exchange.book.size[:, retail.accounts] > 0).sum()

    assert (down.size < 0).all()
    assert len(down.size) / longs == pytest.approx(0.4, abs=0.06)  # five standard errors
    assert len(flat.size) == 0


def test_turmoil_wakes_people() -> None:
    settings = ("agents.retail.attention=100", CROWD)
    with opened(calm(*settings, "agents.retail.alarm=1")) as model, opened(calm(*settings)) as calm_people:
        wild = sight(model, volatility=3 * model.world.calm_volatility)
        calls = [each.people.retail._attention(wild) for each in (model, calm_people)]
        quiet = model.people.retail._attention(sight(model, volatility=model.world.calm_volatility))

    assert calls[0] == pytest.approx(3 * calls[1])
    assert quiet == calls[1]


@pytest.mark.parametrize("preset", preset_names())
def test_who_is_watched_is_who_a_look_at_everybody_finds(preset: str) -> None:
    """Stops, targets and margins near a call for cash, block after block of a crash."""
    hit = near = 0
    with opened(crash(f"protocol.preset={preset}", "agents.retail.accounts=1500")) as model:
        retail, chosen = model.people.retail, model.scenario.agents.retail
        for _ in range(90):
            model.step()
            view = sight(model)
            equity, _, maintenance = view.risk[:, retail.accounts]
            stopped = retail.traits.has_stop & (equity < (1 - chosen.stop_loss) * retail.opening_equity)
            gained = retail.traits.has_target & (equity > (1 + chosen.take_profit) * retail.opening_equity)
            called = retail.traits.watches & (equity < chosen.top_up_trigger * maintenance)
            triggered = np.flatnonzero((stopped | gained) & (maintenance > 0))
            retail._follow_margins(view)

            assert retail._triggered(view).tolist() == triggered.tolist()
            assert retail.near.tolist() == (called & (maintenance > 0)).tolist()
            hit, near = hit + len(triggered), near + int(retail.near.sum())

    assert hit > 50
    assert near > 50
