"""The response to a planted flow: made-up responses and whole runs give back what was put in."""

import numpy as np
import pytest
from small import calm

from analysis.impact_response import impact_response, twin_response
from sim.world_settings import OutsideFlow

ALONE = (
    "agents.retail.accounts=1",
    "agents.retail.holding=0",
    "agents.retail.attention=0",
    "agents.market_makers.accounts=0",
    "agents.liquidators.accounts=0",
    "agents.depositors.accounts=0",
    "clock.duration=1h",
    "world.depth.volatility_exponent=0",
)


def planted(usd: float, at: str = "5m") -> OutsideFlow:
    entry = {"kind": "outside_flow", "at": at, "usd": usd, "markets": ["BTC"]}
    return OutsideFlow.model_validate(entry)


@pytest.mark.parametrize(("stays", "half_life"), [(0.3, 600.0), (0.0, 300.0), (0.9, 1800.0), (-0.2, 120.0)])
def test_a_made_up_response_is_taken_apart(stays: float, half_life: float) -> None:
    times = 60.0 * np.arange(120)
    response = 0.01 * (stays + (1 - stays) * 0.5 ** (times / half_life))
    calm_path = 100 * np.exp(np.sin(times))
    found = impact_response(calm_path * np.exp(response), calm_path, 60.0)

    assert found.peak == pytest.approx(0.01)
    assert found.permanent == pytest.approx(stays, abs=1e-4)
    assert found.half_life == pytest.approx(half_life, rel=1e-3)
    assert found.error < 1e-6


def test_what_stays_whole_has_no_half_life() -> None:
    found = impact_response(np.full(20, 101.0), np.full(20, 100.0), 60.0)

    assert found.permanent == pytest.approx(1)
    assert np.isnan(found.half_life)


def test_no_response_has_no_share_and_no_half_life() -> None:
    found = impact_response(np.full(20, 100.0), np.full(20, 100.0), 60.0)

    assert found.peak == 0
    assert np.isnan([found.permanent, found.half_life]).all()


def test_short_and_unequal_paths_are_refused() -> None:
    with pytest.raises(ValueError, match="got 3 and 3"):
        impact_response(np.ones(3), np.ones(3), 60.0)
    with pytest.raises(ValueError, match="got 9 and 8"):
        impact_response(np.ones(9), np.ones(8), 60.0)


@pytest.mark.parametrize(("permanent", "half_life"), [(0.3, 600), (0.6, 1200)])
@pytest.mark.parametrize("law", ["linear", "square_root"])
def test_twin_runs_without_people_give_back_the_settings(law: str, permanent: float, half_life: int) -> None:
    world = (
        f"world.impact.law={law}",
        f"world.impact.permanent={permanent}",
        f"world.impact.half_life={half_life}s",
    )
    found = twin_response(calm(*ALONE, *world), 3, planted(20e6), "BTC")

    assert found.permanent == pytest.approx(permanent, abs=0.002)
    assert found.half_life == pytest.approx(half_life, rel=0.01)
    assert found.peak == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(("law", "ratio"), [("linear", 4.0), ("square_root", 2.0)])
def test_the_law_can_be_told_from_two_sizes(law: str, ratio: float) -> None:
    settings = calm(*ALONE, f"world.impact.law={law}", "world.impact.permanent=0")
    small, large = (twin_response(settings, 3, planted(usd), "BTC").peak for usd in (1e6, 4e6))

    assert large / small == pytest.approx(ratio, rel=1e-3)


def test_with_people_a_price_falls_back_in_much_the_same_way() -> None:
    found = twin_response(calm(), 3, planted(20e6), "BTC")

    assert found.permanent == pytest.approx(0.3, abs=0.05)
    assert found.half_life == pytest.approx(600, rel=0.15)


def test_without_impact_a_flow_leaves_no_trace() -> None:
    assert twin_response(calm(*ALONE, "world.impact.coefficient=0"), 3, planted(20e6), "BTC").peak == 0
