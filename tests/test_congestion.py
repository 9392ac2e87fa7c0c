"""Congestion in whole runs: what the venue's people add to gas, and what dear gas does to the venue."""

import numpy as np
import pytest
from small import calm, crash, opened
from venue import integers

from agents.role import Actions
from protocol.liquidations.keepers import RECEIPT
from sim.gas import NO_USAGE
from sim.run import Result, run

CHAIN = "world.gas.kind=eip1559"
DEAF = "world.gas.blockspace.volatility_exponent=0"
SPIKE = "{at: 40m, kind: gas_spike, factor: 8, duration: 1h}"
THIN = "{at: 45m, kind: liquidity_withdrawal, share: 0.95, duration: 30m}"


def basis(seed: int, shocks: str) -> np.ndarray:
    """The venue's middle over the outside price less 1, by block, after half an hour."""
    found = run(calm(CHAIN, "clock.duration=5h", f"shocks=[{shocks}]"), seed).tables["markets"]
    bitcoin = found.query("market == 'BTC'")
    return ((bitcoin["bid"] + bitcoin["ask"]) / 2 / bitcoin["outside"] - 1).to_numpy()[30:]


def half_life(path: np.ndarray) -> float:
    """Of a deviation, in blocks, from the autocorrelation at a block."""
    return float(np.log(0.5) / np.log(np.corrcoef(path[:-1], path[1:])[0, 1]))


def crashed(shocks: str, *settings: str) -> Result:
    return run(crash(CHAIN, DEAF, f"shocks=[{shocks}]", *settings), 3)


def test_the_peoples_transactions_raise_the_base_fee() -> None:
    felt, unheard = (
        run(crash(CHAIN, f"world.gas.blockspace.feedback={weight}"), 3).tables["blocks"] for weight in (20, 0)
    )

    assert felt["base_fee"].iloc[:40].median() > 1.5 * unheard["base_fee"].iloc[:40].median()
    assert felt["gas"].iloc[0] == unheard["gas"].iloc[0]


def test_a_chain_in_a_scenario_without_one_is_no_part_of_the_record() -> None:
    assert "base_fee" not in run(crash(), 3).tables["blocks"]


@pytest.mark.long
@pytest.mark.slow
def test_dear_gas_starves_arbitrage_so_that_gaps_last_longer() -> None:
    spike = "{at: 0s, kind: gas_spike, factor: 8, duration: 5h}"
    cheap, dear = ([basis(seed, shocks) for seed in (3, 4)] for shocks in ("", spike))

    assert sum(map(half_life, dear)) > 2 * sum(map(half_life, cheap))
    assert np.abs(dear).mean() > 1.8 * np.abs(cheap).mean()


@pytest.mark.long
@pytest.mark.parametrize(("tolerance", "delayed"), [(2.0, True), (1000.0, False)])
def test_dear_gas_keeps_keepers_away_who_would_not_pay_it(tolerance: float, delayed: bool) -> None:
    keepers = f"agents.liquidators.gas_tolerance={tolerance}"
    steady = ("protocol.preset=synthetix_v3", "protocol.oracle.gas_delay=false", keepers)
    cheap, dear = (crashed(shocks, *steady) for shocks in (THIN, f"{THIN}, {SPIKE}"))
    waiting = [each.tables["blocks"]["liquidatable"].sum() for each in (cheap, dear)]
    closed = [
        (each.tables["liquidations"].query("filled != 0")["block"] <= 60).sum() for each in (cheap, dear)
    ]

    assert (waiting[1] > 2 * waiting[0]) == delayed
    assert (closed[1] < 0.7 * closed[0]) == delayed
    assert (dear.summary["bad_debt_gross_usd"] > 1.1 * cheap.summary["bad_debt_gross_usd"]) == delayed


def test_a_pushed_feed_is_later_in_congestion_and_only_where_gas_delays_it() -> None:
    push = ("protocol.oracle.kind=push", "protocol.oracle.delay=60s", "protocol.oracle.deviation=0.001")

    def lag(shocks: str, gas_delay: str) -> float:
        found = crashed(shocks, *push, f"protocol.oracle.gas_delay={gas_delay}").tables["markets"]
        bitcoin = found.query("market == 'BTC'").iloc[45:100]
        return float((bitcoin["oracle"] / bitcoin["outside"] - 1).abs().mean())

    assert lag(SPIKE, "true") > 2 * lag("", "true")
    assert lag(SPIKE, "false") == pytest.approx(lag("", "false"), rel=0.2)


def test_senders_and_keepers_are_heard_with_what_they_used_and_bid() -> None:
    receipts = np.zeros(2, RECEIPT)
    with opened(crash(CHAIN), blocks=2) as model:
        model.world.usage = NO_USAGE
        receipts["keeper"] = first = model.people.liquidators.accounts[0]
        receipts["gas"] = np.rint(np.array([500_000, 150_000]) * model.gas_price)
        receipts["tip"] = 2 * receipts["gas"][0], 0
        model._charge(receipts)
        model._pay_gas([Actions(senders=integers(first))])
        usage, gas = model.world.usage, model.world.gas[2]

    np.testing.assert_allclose(usage.gas, [500_000, 150_000, 300_000], rtol=1e-6)
    np.testing.assert_allclose(usage.bid, [3 * gas, gas, np.inf], rtol=1e-6)


def test_a_price_that_nothing_feeds_back_to_hears_nobody() -> None:
    with opened(crash(), blocks=2) as model:
        model._pay_gas([Actions(senders=integers(model.people.liquidators.accounts[0]))])

        assert len(model.world.usage.gas) == 0
