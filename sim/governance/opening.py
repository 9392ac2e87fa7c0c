"""From a scenario to the governance of its run."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from agents.delegates.delegates import Delegates
from agents.delegates.facts import PublicFacts
from agents.guardian import Watch
from protocol.arithmetic import MICRO
from protocol.book import INSURANCE
from sim.governance.governing import Crowd, Governance
from sim.streams import stream

if TYPE_CHECKING:
    from sim.model import Model


def open_governance(model: "Model") -> Governance:
    """The governance of a model's scenario; draws from streams of its own."""
    settings = model.scenario.governance
    draws = partial(stream, model.seed_value)
    crowd = Crowd(Watch(model, draws, settings.guardian))
    if settings.votes:
        people = Delegates(model, settings.people, partial(draws, "governance"))
        crowd = crowd._replace(tokens=people.people.tokens(), people=people)
    return Governance(model.exchange, settings, draws, crowd, model.scenario.markets)


def public_facts(model: "Model") -> PublicFacts:
    """What everybody can see of a model's venue."""
    book, world, recorder = model.exchange.book, model.world, model.recorder
    cap = model.exchange.parameters.open_interest_cap.astype(float)
    interest = (book.open_interest * book.mark).astype(float)
    opening = recorder.blocks["insurance_fund"][0] * MICRO
    debt = recorder.blocks["negative_equity"][model.block - 2] * MICRO if model.block > 1 else 0.0
    return PublicFacts(
        opening=model.governance.enactment.opening,
        volatility=world.volatility,
        calm_volatility=world.calm_volatility,
        fund=float(book.cash[INSURANCE]) / opening if opening > 0 else 1.0,
        bad_debt=float(debt) / max(float(interest.sum()), 1.0),
        usage=np.divide(interest, cap, out=np.zeros_like(cap), where=cap > 0),
    )
