"""Electorates: money adds up, tails are heavy, delegation is what the graph says."""

from functools import partial

import numpy as np
import pytest
from electing import people
from pydantic import ValidationError

from agents.delegates.electorate import balances, delegation, electorate
from agents.delegates.network import graph
from agents.delegates.settings import INTERESTS, HoldingSettings, PeopleSettings
from protocol.arithmetic import MICRO
from protocol.governance.tokens import NOBODY
from sim.streams import stream


def drawn(seed: int = 1, **holdings: float):
    settings = PeopleSettings(holdings=HoldingSettings(**holdings))
    return electorate(settings, partial(stream, seed))


def top(power: np.ndarray, count: int) -> float:
    return float(np.sort(power)[::-1][:count].sum() / power.sum())


def test_the_supply_is_shared_out_to_the_last_millionth() -> None:
    found = drawn()

    assert found.balances.sum() == 10_000_000 * MICRO
    assert found.balances.min() >= 0


def test_balances_are_shared_by_weight_as_far_as_the_largest_goes() -> None:
    holdings = HoldingSettings(supply=100.0, holders=4, delegates=1, independents=0, largest=0.4)

    found = balances(np.array([8.0, 1.0, 1.0, 2.0]), holdings)

    assert found.tolist() == [40 * MICRO, 15 * MICRO, 15 * MICRO, 30 * MICRO]


def test_power_is_what_is_delegated() -> None:
    found = drawn()

    voting = found.delegates != NOBODY
    assert found.power.sum() == found.balances[voting].sum()
    assert (found.tokens().power == found.power).all()
    assert found.power.sum() / found.balances.sum() == pytest.approx(0.24, abs=0.01)


def test_delegation_by_hand() -> None:
    held = np.array([5, 40, 1, 1, 30, 23])
    holdings = HoldingSettings(
        holders=6, delegates=2, independents=1, delegated=0.8, largest=1.0, concentration=1.0
    )

    found = delegation(held, np.array([0, 1, 2, 3, 4, 5]), np.array([0, 0, 0, 0, 0.6, 0.7]), holdings)

    assert found.tolist() == [0, 1, 2, 0, 0, NOBODY]


def test_the_tail_of_balances_is_heavy() -> None:
    held = drawn().balances

    assert top(held, len(held) // 100) > 0.5
    assert np.median(held) < 0.05 * held.mean()


def test_equal_balances_break_the_concentration_of_power() -> None:
    real = 0.505
    equal = [top(drawn(seed, spread=0.0, concentration=0.0).power, 10) for seed in range(20)]
    heavy = [top(drawn(seed).power, 10) for seed in range(20)]

    assert max(equal) < 0.35 < real
    assert min(heavy) < real < max(heavy)


def test_power_concentrates_with_the_exponent_of_rank() -> None:
    flat = [top(drawn(seed, concentration=0.0).power, 10) for seed in range(10)]
    steep = [top(drawn(seed, concentration=1.5).power, 10) for seed in range(10)]

    assert np.mean(steep) > np.mean(flat) + 0.15


def test_the_same_seed_makes_the_same_people_and_another_one_others() -> None:
    again = zip(drawn(1), drawn(1), strict=True)

    assert all((first == second).all() for first, second in again)
    assert (drawn(1).balances != drawn(2).balances).any()


def test_more_attention_to_habits_moves_nobodys_tokens() -> None:
    settings = PeopleSettings()
    other = settings.model_copy(update={"attention": settings.attention.model_copy(update={"habit": 2.0})})
    first, second = (electorate(each, partial(stream, 1)) for each in (settings, other))

    assert (first.delegates == second.delegates).all()
    assert (2 * first.habit == second.habit).all()


def test_interests_have_their_shares() -> None:
    found = drawn()
    only = electorate(people({"risk_council": 1.0}), partial(stream, 1))

    shares = np.bincount(found.interest, minlength=len(INTERESTS)) / len(found.interest)
    assert shares == pytest.approx([0.25, 0.25, 0.4, 0.1], abs=0.02)
    assert set(only.interest.tolist()) == {INTERESTS.index("risk_council")}


def test_power_in_the_graph_is_the_sum_of_what_comes_in() -> None:
    found = electorate(people(), partial(stream, 1))
    tokens = found.tokens()
    network = graph(tokens, found)

    flows = {node: sum(edge["tokens"] for *_, edge in network.in_edges(node, data=True)) for node in network}
    assert all(network.nodes[node]["power"] == pytest.approx(flow) for node, flow in flows.items())
    assert sum(flows.values()) == pytest.approx(found.power.sum() / MICRO)
    assert {network.nodes[node]["interest"] for node in network} <= set(INTERESTS)


def test_the_graph_follows_a_change_of_delegation() -> None:
    found = electorate(people(), partial(stream, 1))
    tokens = found.tokens()
    holder = int(np.flatnonzero((tokens.delegates != NOBODY) & (tokens.delegates != 7))[0])

    tokens.delegate(holder, 7, 10.0)

    assert graph(tokens).has_edge(holder, 7)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"holders": 100}, "delegates + 2 * independents <= holders"),
        ({"holders": 20, "delegates": 2, "independents": 0}, "largest * holders >= 1"),
    ],
)
def test_holdings_that_cannot_be_are_refused(changed: dict[str, int], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        HoldingSettings(**changed)

    assert said in str(error.value)


def test_interests_must_add_up() -> None:
    with pytest.raises(ValidationError, match=r"must add up to 1, got 0\.5"):
        PeopleSettings(interests={"traders": 0.5})
