"""The five rules behind one interface, and what holds for all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from observed import PRICE, floats, integers, observation, opened, pair, usd

from protocol.book import FUNDING_SCALE
from protocol.carry.funding import FundingRule, advance, observe
from protocol.carry.funding_rules import Funding, Observation, Steps, open_funding
from protocol.carry.premium_funding import InterestRule, PremiumRule, TwapRule
from protocol.carry.skew_funding import AdaptiveRule, VelocityRule

EIGHT_HOURS = 28_800
HOUR, DAY = 3_600, 86_400

PREMIUM = PremiumRule(margin_gap=integers(8_000), default_rate=integers(100))
INTEREST = InterestRule()
TWAP = TwapRule(divergence=floats(1 / 33), band=floats(0.1))
ADAPTIVE = AdaptiveRule(maximum=floats(0.75))
VELOCITY = VelocityRule(velocity=floats(9), skew_scale=floats(1_000))
RULES: dict[str, FundingRule] = {
    "premium": PREMIUM,
    "interest": INTEREST,
    "twap": TWAP,
    "adaptive": ADAPTIVE,
    "velocity": VELOCITY,
}
EVERY_RULE = pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
AT_EPOCHS = pytest.mark.parametrize("rule", [PREMIUM, INTEREST, TWAP], ids=["premium", "interest", "twap"])

LOTS = st.integers(0, 10**6)


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """A venue in any state, whose own price need not exist and may be anywhere near the index."""
    oracle = draw(st.integers(1_000, 10**9))
    near = st.floats(0.5, 1.5).map(lambda ratio: ratio * oracle)
    price = st.one_of(near, st.just(0.0), st.just(np.nan))
    return observation(
        oracle=oracle,
        mid=draw(price),
        impact_bid=draw(price),
        impact_ask=draw(price),
        long_interest=draw(LOTS),
        short_interest=draw(LOTS),
        oracle_ok=draw(st.booleans()),
        fee_pool=draw(st.integers(-(10**9), 10**12)),
    )


def charged(rule: FundingRule, shown: Observation, block: int, duration: int) -> tuple[Funding, list[int]]:
    """Funding, and the sum of both sides' steps, after blocks that all look the same."""
    funding, total = open_funding(len(shown.oracle), 0.0), [0, 0]
    for time in range(block, duration + 1, block):
        funding = observe(funding, rule, shown, block)
        funding, steps = advance(funding, rule, shown, time)
        if steps is not None:
            total = [sum(both) for both in zip(total, pair(steps), strict=True)]
    return funding, total


def payments(steps: Steps, sizes: list[int]) -> list[int]:
    """What accounts with these positions receive in micro-USD, each rounded toward −∞ as the book does."""
    long, short = pair(steps)
    return [-(size * (long if size > 0 else short)) // FUNDING_SCALE for size in sizes]


@AT_EPOCHS
@pytest.mark.parametrize("block", [60, 1_800, HOUR, DAY])
def test_a_day_costs_the_same_whatever_the_length_of_a_block(rule: FundingRule, block: int) -> None:
    price = 1.003 * PRICE
    shown = observation(mid=price, impact_bid=price, impact_ask=price)
    funding, total = charged(rule, shown, block, DAY)
    hourly, expected = charged(rule, shown, HOUR, DAY)

    assert expected[0] > 0
    assert total == pytest.approx(expected, abs=1)
    assert funding.rate == pytest.approx(hourly.rate)


@pytest.mark.parametrize(
    "rule", [INTEREST, TWAP, ADAPTIVE, VELOCITY], ids=["interest", "twap", "adaptive", "velocity"]
)
def test_sixty_steps_of_a_minute_make_one_of_an_hour(rule: FundingRule) -> None:
    price = round(1.003 * 1_234_567)
    shown = observation(
        oracle=1_234_567, mid=price, impact_bid=price, long_interest=190, short_interest=100, fee_pool=usd(1)
    )
    _, minutes = charged(rule._replace(interval=60), shown, 60, HOUR)
    _, hour = charged(rule._replace(interval=HOUR), shown, HOUR, HOUR)

    assert minutes == pytest.approx(hour, abs=1)


@AT_EPOCHS
def test_an_epoch_ends_with_the_first_block_after_it(rule: FundingRule) -> None:
    shown = observation(impact_bid=1.003 * PRICE)
    funding, due = open_funding(1, 0.0), []
    for time in range(2_400, 7 * 2_400 + 1, 2_400):
        funding = observe(funding, rule, shown, 2_400)
        funding, steps = advance(funding, rule, shown, time)
        due.append(steps is not None)

    assert due == [False, True] * 3 + [False]
    assert funding.since.tolist() == [6 * 2_400]


@pytest.mark.parametrize("rule", [PREMIUM, INTEREST], ids=["premium", "interest"])
def test_what_was_gathered_is_used_once(rule: FundingRule) -> None:
    funding = observe(opened(), rule, observation(impact_bid=1.003 * PRICE), HOUR)
    funding, first = advance(funding, rule, observation(), HOUR)
    funding, second = advance(funding, rule, observation(), 2 * HOUR)

    assert pair(first)[0] > pair(second)[0]
    assert funding.rate == pytest.approx([0.0001])


def test_fractions_of_a_step_are_carried_but_at_dydx() -> None:
    shown = observation(oracle=3)
    _, kept = charged(INTEREST, shown, HOUR, 60 * HOUR)
    _, lost = charged(PREMIUM, shown, HOUR, 60 * HOUR)

    assert kept == pytest.approx([60 * 0.0375] * 2, abs=1)
    assert kept[0] >= 2
    assert lost == [0, 0]


@EVERY_RULE
@given(shown=observations())
def test_steps_are_finite_in_any_state_of_the_venue(rule: FundingRule, shown: Observation) -> None:
    funding, _ = charged(rule, shown, HOUR, 3 * HOUR)

    assert all(np.isfinite(column).all() for column in funding)


@EVERY_RULE
@given(shown=observations(), scale=st.integers(2, 50))
def test_prices_times_a_factor_make_payments_times_the_factor(
    rule: FundingRule, shown: Observation, scale: int
) -> None:
    scaled = shown._replace(
        oracle=shown.oracle * scale,
        mid=shown.mid * scale,
        impact_bid=shown.impact_bid * scale,
        impact_ask=shown.impact_ask * scale,
        fee_pool=shown.fee_pool * scale,
    )
    _, small = charged(rule, shown, HOUR, HOUR)
    _, large = charged(rule, scaled, HOUR, HOUR)
    rounding = 2 + int(shown.long_interest[0]) / max(int(shown.short_interest[0]), 1)

    assert large == pytest.approx([step * scale for step in small], rel=1e-9, abs=rounding * (scale + 1))


@pytest.mark.parametrize("rule", [PREMIUM, INTEREST, VELOCITY], ids=["premium", "interest", "velocity"])
@given(shown=observations())
def test_symmetric_rules_have_equal_steps(rule: FundingRule, shown: Observation) -> None:
    _, (long, short) = charged(rule, shown, HOUR, 3 * HOUR)

    assert long == short


@pytest.mark.parametrize("rule", [TWAP, ADAPTIVE], ids=["twap", "adaptive"])
@given(shown=observations(), lots=st.integers(1, 10**6))
def test_asymmetric_rules_have_equal_steps_on_a_balanced_market(
    rule: FundingRule, shown: Observation, lots: int
) -> None:
    balanced = shown._replace(long_interest=integers(lots), short_interest=integers(lots))
    _, (long, short) = charged(rule, balanced, HOUR, 3 * HOUR)

    assert long == short


@EVERY_RULE
@given(
    shown=observations(),
    sizes=st.lists(st.integers(-(10**4), 10**4), min_size=1, max_size=8),
)
def test_users_and_their_counterparty_never_gain_from_rounding(
    rule: FundingRule, shown: Observation, sizes: list[int]
) -> None:
    longs, shorts = sum(max(size, 0) for size in sizes), sum(max(-size, 0) for size in sizes)
    users = shown._replace(
        long_interest=integers(longs), short_interest=integers(shorts), oracle_ok=np.array([True])
    )
    _, steps = advance(observe(opened(), rule, users, HOUR), rule, users, HOUR)
    assert steps is not None
    long, short = pair(steps)
    counterparty = long * longs - short * shorts

    assert sum(payments(steps, sizes)) * FUNDING_SCALE + counterparty <= 0
    assert sum(payments(steps, sizes)) * FUNDING_SCALE + counterparty > -FUNDING_SCALE * len(sizes)
    match rule:
        case AdaptiveRule():
            assert counterparty >= 0
        case TwapRule():
            assert -counterparty <= max(int(shown.fee_pool[0]), 0) * FUNDING_SCALE / 3 + 1


@EVERY_RULE
@given(first=observations(), second=observations())
def test_markets_do_not_touch_each_other(rule: FundingRule, first: Observation, second: Observation) -> None:
    both = Observation(*(np.concatenate(columns) for columns in zip(first, second, strict=True)))
    wide = widened(rule)
    funding = observe(open_funding(2, 0.0), wide, both, HOUR)
    found, _ = advance(funding, wide, both, HOUR)
    for market, shown in enumerate((first, second)):
        alone, _ = advance(observe(opened(), rule, shown, HOUR), rule, shown, HOUR)

        assert [column[market] for column in found] == [column[0] for column in alone]


def widened(rule: FundingRule) -> FundingRule:
    """The rule for two markets that are alike."""
    columns = {
        name: np.repeat(value, 2) for name, value in rule._asdict().items() if isinstance(value, np.ndarray)
    }
    return rule._replace(**columns)


@EVERY_RULE
def test_nothing_that_a_rule_is_given_is_written_to(rule: FundingRule) -> None:
    shown = observation(mid=101 * usd(1), impact_bid=101 * usd(1), long_interest=300)
    funding = observe(opened(level=1e-8, dust=7), rule, shown, HOUR)
    given_to = [column.copy() for column in (*funding, *shown)]
    advance(observe(funding, rule, shown, HOUR), rule, shown, HOUR)

    assert all((column == kept).all() for column, kept in zip((*funding, *shown), given_to, strict=True))
