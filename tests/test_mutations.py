"""Faulty scenario files end with 0 or 2 and a message; `make mutations` tries many more."""

from collections import Counter

import pytest
from mutations import trial
from small import calm, opened

from sim.problems import ScenarioError

FILES = 60


@pytest.mark.slow
def test_no_mutated_file_ends_with_a_traceback() -> None:
    seen: Counter[str] = Counter()
    for number in range(FILES):
        outcome = trial(number)
        seen[outcome] += 1

        assert "\n" not in outcome, f"file {number} of tests/mutations.py: {outcome}"
    assert seen["refused"] > 10
    assert seen["runs"] > 10


def test_a_kind_that_is_named_as_a_key_of_its_own_does_not_lead_astray() -> None:
    with pytest.raises(ScenarioError, match=r"world\.prices\.activity\.0\.half_life: must be given"):
        calm("world.prices={kind: regimes, activity: [{sigma: 1}]}")


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        ("agents.market_makers.capital=1.0e308", "capital of open interest must be at most 1e+12 USD"),
        ("protocol.markets.BTC.minimum_margin=1.0e18", r"minimum_margin: must be <= 1e\+12"),
        ("world.impact.coefficient=1.0e18", "coefficient: must be <= 1000"),
        ("protocol.insurance_fund=1.0e13", r"insurance_fund: must be <= 1e\+12"),
    ],
)
def test_money_beyond_what_the_venue_can_count_is_refused(setting: str, rule: str) -> None:
    with pytest.raises(ScenarioError, match=rule.replace("1e+12 USD", r"1e\+12 USD")):
        calm(setting)


@pytest.mark.parametrize(
    "setting", ["agents.depositors.inflow=1.0e308", "agents.liquidators.risk_premium=1.0e300"]
)
def test_what_is_extreme_and_accepted_runs(setting: str) -> None:
    with opened(calm(setting), blocks=3) as model:
        bids = model.exchange.quotes().bid

        assert model.block == 3
        assert (bids >= 0).all()
