"""The poisoner of an engine's feed: when it buys and sells the spot, and how much of it."""

from typing import Any

import numpy as np
import pytest
from small import calm, opened, sight

from agents.role import Hedges
from protocol.arithmetic import MICRO
from sim.model import Model

USD = 100_000.0


def scene(**changes: Any) -> Any:
    """Two quiet hours with a poisoner who spoils what an engine sees every half an hour."""
    chosen = {"kind": "feed_poisoner", "market": "BTC", "budget": 1e6, "push": USD, "every": "30m"} | changes
    told = ", ".join(f"{name}: {value}" for name, value in chosen.items())
    return calm(f"agents.attackers={{mallory: {{{told}}}}}")


def bought(model: Model, time: float, **view: Any) -> Hedges:
    """What it trades outside in the block that ends at a time."""
    return model.people.attackers[0].act(sight(model, time=time, **view)).hedges


def usd(model: Model, moves: Hedges) -> float:
    """Value of its trades, positive for purchases [USD]."""
    return float((moves.lots * model.units.price(model.world.outside)[0]).sum() / MICRO)


def test_it_buys_in_the_last_block_before_an_observation_and_sells_in_the_next() -> None:
    with opened(scene()) as model:
        account = int(model.people.attackers[0].accounts[0])
        early, late = bought(model, 1680.0), bought(model, 1740.0)
        model.outside.size[0, account] = float(late.lots[0])
        after = bought(model, 1800.0)

        assert len(early.lots) == 0
        assert usd(model, late) == pytest.approx(USD)
        assert after.lots.tolist() == [-late.lots[0]]


def test_it_ends_after_its_rounds_and_rests_between_them() -> None:
    with opened(scene(rounds=2, rest=1)) as model:
        moves = [len(bought(model, 1800.0 * count - 60.0).lots) for count in range(1, 8)]

    assert moves == [1, 0, 1, 0, 0, 0, 0]


def test_a_nudge_is_one_push_and_then_smaller_ones() -> None:
    with opened(scene(pattern="nudge", nudge=1000, rounds=3)) as model:
        sizes = [usd(model, bought(model, 1800.0 * count - 60.0)) for count in range(1, 4)]

    assert sizes == pytest.approx([USD, 1000, 1000])


@pytest.mark.parametrize("move", [0.01, -0.01])
def test_a_quiet_one_leans_against_a_move_by_a_part_of_it(move: float) -> None:
    with opened(scene(pattern="quiet", lean=0.5, budget=1e9)) as model:
        price = sight(model).outside
        bought(model, 60.0)
        moves = bought(model, 120.0, outside=price * (1 + move))
        depth = 100 * sight(model).outside_depth[0]
        worth = float(moves.lots[0] * price[0] * (1 + move) / MICRO)

        assert worth == pytest.approx(-0.5 * np.log1p(move) * depth)


def test_a_quiet_one_never_holds_more_than_its_budget() -> None:
    with opened(scene(pattern="quiet", lean=1, budget=1e4)) as model:
        price = sight(model).outside
        bought(model, 60.0)
        moves = bought(model, 120.0, outside=price * 0.9)

        assert float(moves.lots[0] * price[0] * 0.9 / MICRO) == pytest.approx(1e4)


def test_half_of_the_budget_is_on_the_venue_where_it_goes_short() -> None:
    for short, share in ((0.0, 0.0), (1.0, 0.5)):
        with opened(scene(short=short)) as model:
            account = model.people.attackers[0].accounts

            assert model.exchange.book.cash[account].sum() == share * 1e6 * MICRO
            assert len(model.people.attackers[0].act(sight(model, time=60.0)).orders.account) == (short > 0)


def test_it_pays_a_fee_on_what_it_buys_and_sells() -> None:
    with opened(scene(at="28m", fee=0.01), blocks=30) as model:
        mallory = model.people.attackers[0]

        assert mallory.holding.spent["fees"] == pytest.approx(2 * 0.01 * USD, rel=0.02)
