"""Cascades worked out by pencil, run on the real venue: who pushes whom, how hard, and what it takes.

Tolerances: prices are whole micro-USD for lots of a thousand units, so a price is known to 1e-9 and a volume
of up to 15 million USD to a cent.
"""

from collections.abc import Mapping

import numpy as np
import pytest
from handmade import LATER, PRICE, STRUCK, Long, account, fall, handmade, pushed, ran
from scipy.optimize import brentq

from analysis.attribution import CAUSES, WORLD, Attribution, amplification, attribute
from analysis.cascades import Anatomy, Impact, anatomy_of
from analysis.critical import AS_IT_IS, Critical, Probe, critical, first_reproduction
from analysis.critical_accounts import influence, without_each
from analysis.waves import reproduction
from sim.run import Result

CENT = 0.01
CHAIN = {
    "first": Long({"BTC": 150_000}, 1_500_000),
    "second": Long({"BTC": 50_000}, 1_000_000),
    "third": Long({"BTC": 20_000}, 500_000),
}
LEAVES = ("one", "two", "three", "four")
STAR = {
    "hub": Long({"BTC": 100_000}, 1_000_000),
    **{leaf: Long({"BTC": 30_000}, 510_000) for leaf in LEAVES},
}
BRIDGE = {
    "bitcoin": Long({"BTC": 100_000}, 1_000_000),
    "both": Long({"BTC": 20_000, "ETH": 60_000}, 700_000),
    "ether": Long({"ETH": 30_000}, 300_000),
}
PAIR = {
    "lesser": Long({"BTC": 60_000}, 600_000),
    "greater": Long({"BTC": 90_000}, 900_000),
    "third": Long({"BTC": 50_000}, 1_000_000),
}
TWO = ("BTC", "ETH")
FALL = 0.08
WITHOUT = ("world.impact.coefficient=0", "world.impact.liquidations=false")
PROBE = Probe(at=STRUCK)


def chain_prices(size: float) -> list[float]:
    """Price after a fall, and after each of the chain has been sold in its turn [USD]."""
    found = [PRICE * (1 - size)]
    for each in CHAIN.values():
        found.append(pushed(found[-1], each.size * found[-1]))
    return found


def volumes(longs: Mapping[str, Long], prices: list[float]) -> list[float]:
    """What is sold of each [USD]."""
    return [each.size * price for each, price in zip(longs.values(), prices, strict=False)]


def explained(result: Result) -> Anatomy:
    """Why accounts of a handmade world fell; its pushes stay."""
    return anatomy_of(result.tables, result.scenario.markets, 60, Impact(1.0, 600.0))


def edges(found: Anatomy) -> dict[tuple[str, str, str], float]:
    """Share of each in the fall of another, by the names of both and the market between them."""
    graph, shares = found.graph(), {}
    for move, data in [(node, data) for node, data in graph.nodes(data=True) if node[0] == "move"]:
        for pusher in graph.predecessors(move):
            for fallen in graph.successors(move):
                names = graph.nodes[pusher]["role"], data["market"], graph.nodes[fallen]["role"]
                shares[names] = graph.edges[pusher, move]["share"] * graph.edges[move, fallen]["share"]
    return shares


def last(result: Result, market: str = "BTC", column: str = "outside") -> float:
    """What a market's column holds in the end."""
    markets = result.tables["markets"]
    return float(markets.loc[markets["market"] == market, column].iloc[-1])


@pytest.fixture(scope="module")
def chain() -> Result:
    return ran(CHAIN, fall(FALL))


@pytest.fixture(scope="module")
def star() -> Result:
    return ran(STAR, fall(FALL))


@pytest.fixture(scope="module")
def bridge() -> Result:
    return ran(BRIDGE, fall(FALL), markets=TWO)


def test_the_chain_is_one_by_pencil() -> None:
    """Each stands until the one before it is sold, and pays for itself."""
    prices, longs = chain_prices(FALL), list(CHAIN.values())

    assert prices == pytest.approx([92.0, 80.141, 76.993, 75.817], abs=1e-3)
    for price, after, each in zip([PRICE, *prices], prices, longs, strict=False):
        assert price > each.liquidated_below > after > each.bankrupt


def test_each_of_a_chain_pushes_the_next_and_nobody_else(chain: Result) -> None:
    found = explained(chain)
    sold = volumes(CHAIN, chain_prices(FALL))

    assert edges(found) == pytest.approx(
        {("first", "BTC", "second"): 1.0, ("second", "BTC", "third"): 1.0}, abs=1e-12
    )
    assert found.failures["block"].tolist() == [2, 4, 6]
    assert found.failures["endogenous"].tolist() == [False, True, True]
    assert found.failures["generation"].tolist() == [0.0, 1.0, 2.0]
    np.testing.assert_allclose(found.volume[:3], sold, atol=CENT, rtol=0)
    np.testing.assert_allclose(
        reproduction(found.volume)[:2], [sold[1] / sold[0], sold[2] / sold[1]], rtol=1e-8
    )
    assert first_reproduction(chain) == pytest.approx(sold[1] / sold[0], rel=1e-8)
    np.testing.assert_allclose(influence(found), np.cumsum(sold[::-1])[::-1], atol=3 * CENT, rtol=0)


def test_the_outside_price_ends_where_three_sales_leave_it(chain: Result) -> None:
    assert last(chain) == pytest.approx(chain_prices(FALL)[3], abs=1e-7)


@pytest.mark.parametrize(("longs", "markets"), [(CHAIN, ("BTC",)), (STAR, ("BTC",)), (BRIDGE, TWO)])
def test_the_forced_part_of_impact_is_what_a_run_without_it_lacks(
    longs: Mapping[str, Long], markets: tuple[str, ...]
) -> None:
    """Up to what was forgotten of a sale in the block until it was hedged."""
    loud = ran(longs, fall(FALL), markets=markets).tables["markets"]
    silent = ran(longs, fall(FALL), WITHOUT[1], markets=markets).tables["markets"]
    missing = np.log(loud["outside"] / silent["outside"])

    assert missing.min() < -0.05
    np.testing.assert_allclose(loud["forced_impact"], LATER * missing, atol=1e-12, rtol=0)
    assert (silent["forced_impact"] == 0).all()


def test_a_hub_pushes_all_its_leaves_at_once_and_they_push_nobody(star: Result) -> None:
    found = explained(star)
    before, after = PRICE * (1 - FALL), pushed(PRICE * (1 - FALL), STAR["hub"].size * PRICE * (1 - FALL))
    sold = [STAR["hub"].size * before, *(STAR[leaf].size * after for leaf in LEAVES)]

    assert edges(found) == pytest.approx({("hub", "BTC", leaf): 1.0 for leaf in LEAVES}, abs=1e-12)
    assert found.failures["block"].tolist() == [2, 4, 4, 4, 4]
    assert found.failures["generation"].tolist() == [0.0, 1.0, 1.0, 1.0, 1.0]
    np.testing.assert_allclose(found.failures["liquidated_usd"], sold, atol=CENT, rtol=0)
    assert first_reproduction(star) == pytest.approx(120 * after / (100 * before), rel=1e-8)
    assert last(star) == pytest.approx(pushed(after, *sold[1:]), abs=1e-7)


def test_two_who_are_sold_together_answer_for_the_third_by_their_size() -> None:
    result = ran(PAIR, fall(FALL))
    found = explained(result)
    third = 50_000 * pushed(92.0, 150_000 * 92.0)

    assert edges(found) == pytest.approx({("lesser", "BTC", "third"): 0.4, ("greater", "BTC", "third"): 0.6})
    assert found.failures["generation"].tolist() == [0.0, 0.0, 1.0]
    np.testing.assert_allclose(
        influence(found), [5_520_000 + 0.4 * third, 8_280_000 + 0.6 * third, third], atol=3 * CENT, rtol=0
    )


def test_a_sale_that_nobody_has_hedged_yet_has_pushed_nobody() -> None:
    """Another shock makes a bystander fall in block 3; in block 4 the price has felt the first sale only."""
    longs = CHAIN | {"bystander": Long({"BTC": 50_000}, 700_000)}
    jumps = ", ".join(
        f"{{at: {at}s, kind: price_jump, size: {size}}}"
        for at, size in ((STRUCK, -FALL), (STRUCK + 60, -0.02))
    )
    found = explained(ran(longs, f"shocks=[{jumps}]"))
    by_role = found.failures.set_index("role")

    assert by_role["block"].to_dict() == {"first": 2, "bystander": 3, "second": 4, "third": 4}
    assert by_role["generation"].to_dict() == {"first": 0.0, "bystander": 0.0, "second": 1.0, "third": 1.0}
    assert edges(found) == {("first", "BTC", "second"): 1.0, ("first", "BTC", "third"): 1.0}


def test_an_account_in_two_markets_carries_a_fall_from_one_to_the_other(bridge: Result) -> None:
    """Bitcoin falls and is sold; who holds both fails, loses his ether, and keeps his bitcoin."""
    found = explained(bridge)
    ether = pushed(PRICE, 60_000 * PRICE)
    sold = [100_000 * 92.0, 60_000 * PRICE, 30_000 * ether]

    assert edges(found) == pytest.approx(
        {("bitcoin", "BTC", "both"): 1.0, ("both", "ETH", "ether"): 1.0}, abs=1e-12
    )
    assert found.failures["generation"].tolist() == [0.0, 1.0, 2.0]
    np.testing.assert_allclose(found.volume[:3], sold, atol=CENT, rtol=0)
    assert last(bridge, "BTC", "open_interest") == 20_000
    assert last(bridge, "BTC") == pytest.approx(pushed(92.0, sold[0]), abs=1e-7)
    assert last(bridge, "ETH") == pytest.approx(pushed(ether, sold[2]), abs=1e-7)


@pytest.mark.parametrize("override", WITHOUT)
@pytest.mark.parametrize(("longs", "markets"), [(CHAIN, ("BTC",)), (STAR, ("BTC",)), (BRIDGE, TWO)])
def test_without_impact_the_world_alone_makes_accounts_fall(
    longs: Mapping[str, Long], markets: tuple[str, ...], override: str
) -> None:
    result = ran(longs, fall(FALL), override, markets=markets)
    found = explained(result)

    assert found.failures["role"].tolist() == [next(iter(longs))]
    assert not found.failures["endogenous"].any()
    assert len(found.falls) == 0
    assert found.endogenous_share == 0.0
    assert first_reproduction(result) == 0.0
    assert last(result) == pytest.approx(92.0, abs=1e-9)


def shared(longs: Mapping[str, Long], *overrides: str, markets: tuple[str, ...] = ("BTC",)) -> Attribution:
    """What impact does to a handmade world."""
    causes = [cause for cause in CAUSES if cause.name == "impact"]
    return attribute(handmade(longs, fall(FALL), *overrides, markets=markets), (1,), causes, 0)


def worth(found: Attribution, outcome: str) -> dict[str, float]:
    """Share of each cause in an outcome."""
    rows = found.shares[found.shares["outcome"] == outcome]
    return dict(zip(rows["cause"], rows["value"], strict=True))


def test_the_first_of_a_chain_is_the_worlds_and_the_others_are_due_to_impact() -> None:
    found, prices = shared(CHAIN), chain_prices(FALL)
    sold = volumes(CHAIN, prices)

    assert worth(found, "liquidated_usd") == pytest.approx(
        {WORLD: sold[0], "impact": sum(sold[1:])}, abs=CENT
    )
    assert worth(found, "bad_debt_gross_usd") == {WORLD: 0.0, "impact": 0.0}
    assert worth(found, "outside_drawdown_BTC") == pytest.approx(
        {WORLD: FALL, "impact": 1 - prices[3] / PRICE - FALL}, abs=1e-9
    )
    assert amplification(found, "BTC")[0] == pytest.approx((1 - prices[3] / PRICE) / FALL, rel=1e-8)


def test_across_two_markets_all_that_was_sold_of_the_other_is_due_to_impact() -> None:
    found, ether = shared(BRIDGE, markets=TWO), pushed(PRICE, 6e6)
    end = pushed(ether, 30_000 * ether)

    assert worth(found, "liquidated_usd") == pytest.approx(
        {WORLD: 9.2e6, "impact": 6e6 + 30_000 * ether}, abs=CENT
    )
    assert worth(found, "outside_drawdown_ETH") == pytest.approx(
        {WORLD: 0.0, "impact": 1 - end / PRICE}, abs=1e-9
    )


def test_where_nothing_moves_a_price_the_amplification_is_one_and_impact_has_no_share() -> None:
    found = shared(CHAIN, WITHOUT[0])

    assert amplification(found, "BTC")[0] == 1.0
    assert worth(found, "liquidated_usd")["impact"] == 0.0
    assert worth(found, "outside_drawdown_BTC")["impact"] == 0.0


def test_who_is_absent_holds_nothing_and_pushes_nobody() -> None:
    """Without the first nobody falls; without the second the third stands; the third pushes nobody."""
    scenario = handmade(CHAIN, fall(FALL))
    sold = volumes(CHAIN, chain_prices(FALL))
    found, failures = without_each(scenario, 1, [account(CHAIN, name) for name in CHAIN], workers=0)
    named = ran(CHAIN, fall(FALL), absent=("second",)).tables["accounts"]
    gone = named[named["role"] == "second"].iloc[0]

    np.testing.assert_allclose(
        found["without_liquidated_usd"], [0.0, sold[0], sum(sold[:2])], atol=CENT, rtol=0
    )
    assert (gone["brought"], gone["wealth_end"], gone["pnl"]) == (0.0, 0.0, 0.0)
    assert failures == ()


def owed(size: float) -> float:
    """What the chain leaves unpaid where the first one's sale takes both others along [USD]."""
    first, *others = CHAIN.values()
    before, after, *_ = chain_prices(size)
    return first.owes(before) + sum(each.owes(after) for each in others)


@pytest.fixture(scope="module")
def found() -> Critical:
    base = handmade(CHAIN, "protocol.insurance_fund=300000")
    twin = handmade(STAR, "protocol.insurance_fund=300000")
    return critical({AS_IT_IS: base, "star": twin}, PROBE, (1,), workers=0)


@pytest.mark.slow
def test_the_critical_shock_of_a_chain_is_where_its_debts_reach_a_hundredth(found: Critical) -> None:
    """Of 22 million USD of open interest, 220 thousand: beyond the fund, the fund more."""
    limit = PROBE.share * PRICE * sum(each.size for each in CHAIN.values())
    gross = brentq(lambda size: owed(size) - limit, 0.08, 0.15)
    beyond = brentq(lambda size: owed(size) - limit - 300_000, 0.08, 0.15)
    row = found.rows.set_index("variant").loc[AS_IT_IS]

    assert chain_prices(gross)[1] < CHAIN["third"].liquidated_below < chain_prices(gross)[0]
    assert 0.1 < gross < beyond - 2 * PROBE.tolerance
    assert row["gross"] == pytest.approx(gross, abs=PROBE.tolerance / 2)
    assert row["beyond"] == pytest.approx(beyond, abs=PROBE.tolerance / 2)
    assert np.isnan(row["reproduction"])


@pytest.mark.slow
def test_the_critical_shock_of_a_star_is_where_its_hub_falls(found: Critical) -> None:
    """Its leaves are more than the hub, so that R₀ passes one as soon as it is sold."""
    row = found.rows.set_index("variant").loc["star"]
    hub, leaf = STAR["hub"], STAR["one"]
    price = hub.liquidated_below

    assert 4 * leaf.size * pushed(price, hub.size * price) > hub.size * price
    assert row["reproduction"] == pytest.approx(1 - price / PRICE, abs=PROBE.tolerance / 2)
