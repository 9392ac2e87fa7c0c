"""From a scenario to the governance of its run."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from agents.attackers.chamber import Chamber
from agents.delegates.delegates import Delegates
from agents.guardian import Watch
from agents.token_market import TokenMarket
from protocol.book import FEES, INSURANCE, VAULT
from protocol.governance.tokens import NOBODY, Tokens
from sim.governance.governing import Crowd, Governance
from sim.streams import stream

if TYPE_CHECKING:
    from sim.model import Model


def open_governance(model: "Model") -> Governance:
    """The governance of a model's scenario; draws from streams of its own."""
    settings = model.scenario.governance
    draws = partial(stream, model.seed_value)
    crowd = Crowd(Watch(model, draws, settings.guardian, model.exchange.parameters))
    if settings.votes:
        people = Delegates(model, settings.people, partial(draws, "governance"))
        tokens = _with_plotters(people, len(model.people.attackers))
        market = TokenMarket(settings.token, tokens.supply)
        crowd = crowd._replace(tokens=tokens, people=people, market=market)
    return Governance(model.exchange, settings, draws, crowd, model.scenario.markets)


def _with_plotters(people: Delegates, plotters: int) -> Tokens:
    """The token, with the market and an empty holder for each attacker behind everybody else.

    The market has what nobody votes with. Each attacker votes for himself.
    """
    crowd, count = people.people, len(people.people.balances)
    if not plotters:
        return crowd.tokens()
    idle = np.where(crowd.delegates == NOBODY, crowd.balances, 0)
    balances = np.concatenate([crowd.balances - idle, [idle.sum()], np.zeros(plotters, np.int64)])
    own = np.arange(count + 1, count + 1 + plotters)
    return Tokens(balances, np.concatenate([crowd.delegates, [NOBODY], own]))


def first_plotter(model: "Model") -> int:
    """Number of the first attacker among the holders of tokens; 0 where there are none."""
    tokens = model.governance.crowd.tokens
    return 0 if tokens is None else len(tokens.balances) - len(model.people.attackers)


def let_plot(model: "Model") -> None:
    """Let attackers do with governance what they will, at the end of a block."""
    governance, crowd, first = model.governance, model.governance.crowd, first_plotter(model)
    for index, attacker in enumerate(model.people.attackers):
        attacker.plot(
            Chamber(
                time=model.time,
                seconds=float(model.seconds),
                process=governance.process,
                parameters=model.exchange.parameters,
                route=governance.settings.route,
                tokens=crowd.tokens,
                market=crowd.market,
                cash=model.outside.cash,
                money=model.exchange.book.cash,
                purses=(INSURANCE, FEES, VAULT),
                holder=first + index,
                lender=first - 1,
                execute=partial(governance.run_due, model.block, model.time),
            )
        )
