"""The schedule runner: what it reads in the queue, which side it takes, and when it leaves."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plotting import HOUR, Stage
from small import calm, give, opened, set_equity, sight

from agents.attackers.schedule_runner import ScheduleRunner
from protocol.governance.governor import GovernorRules
from protocol.governance.payload import Payload, Setting
from protocol.governance.proposals import Draft
from protocol.governance.steward import StewardRules
from sim.model import Model

QUEUE = StewardRules(review=2 * HOUR)


def runner(model: Model) -> ScheduleRunner:
    """The only attacker of a model."""
    found = model.people.attackers[0]
    assert isinstance(found, ScheduleRunner)
    return found


def scene(**changes: Any) -> Any:
    """Two quiet hours with a schedule runner in them."""
    chosen = {"kind": "schedule_runner", "market": "BTC", "budget": 1e5, "ahead": "1h"} | changes
    told = ", ".join(f"{name}: {value}" for name, value in chosen.items())
    return calm(f"agents.attackers={{mallory: {{{told}}}}}")


def queued(margin: int, time: float = 0.0) -> Stage:
    """A stage with a change of the maintenance margin in its queue, due in two hours."""
    stage = Stage(rules=GovernorRules(), keys=QUEUE)
    draft = Draft(Payload((Setting("maintenance", 0, margin),)))
    stage.process.submit("steward", 0, draft, stage.parameters, time)
    return stage


@pytest.mark.parametrize(
    ("margin", "time", "seen"), [(20_000, HOUR, True), (10_000, HOUR, False), (20_000, HOUR - 60, False)]
)
def test_it_sees_a_tightening_that_is_due_soon_and_nothing_else(margin: int, time: float, seen: bool) -> None:
    with opened(scene()) as model:
        stage = queued(margin)
        runner(model).plot(replace(stage.chamber(), time=time))

        assert np.isfinite(runner(model).due) == seen
        assert runner(model).margin == margin * seen


@pytest.mark.parametrize("side", [1, -1])
def test_it_takes_the_side_of_the_forced_trades_to_come(side: int) -> None:
    with opened(scene()) as model:
        book, account = model.exchange.book, int(model.people.retail.accounts[0])
        book.size[:] = 0
        give(model, account, side * 1_000_000)
        notional = 1_000_000 * int(book.mark[0]) / 1e6
        set_equity(model, account, 0.015 * notional)
        mallory = runner(model)
        mallory.due, mallory.margin = 600.0, 20_000
        moves = mallory.act(sight(model, time=60.0))

        assert np.sign(moves.orders.size).tolist() == [-side]
        assert mallory.first == 60.0


def test_it_stays_away_where_nobody_will_fail() -> None:
    with opened(scene()) as model:
        model.exchange.book.size[:] = 0
        mallory = runner(model)
        mallory.due, mallory.margin = 600.0, 20_000

        assert len(mallory.act(sight(model, time=60.0)).orders.account) == 0


def test_it_closes_after_the_change_and_takes_its_money_home() -> None:
    with opened(scene(dip=0)) as model:
        mallory = runner(model)
        mallory.due, mallory.margin, mallory.side = 600.0, 20_000, -1
        give(model, int(mallory.accounts[0]), -1000)
        closing = mallory.act(sight(model, time=600.0 + 720.0))
        give(model, int(mallory.accounts[0]), 0)
        leaving = mallory.act(sight(model, time=600.0 + 720.0 + 3600.0))

        assert closing.orders.size.tolist() == [1000]
        assert leaving.transfers.account.tolist() == mallory.accounts.tolist()
