"""Who lives on the venue: the roles, their accounts, and what they bring."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import mesa
import numpy as np

from agents.actors import Actor
from agents.arbitrageurs import Arbitrageurs
from agents.attackers.attack import Attack
from agents.attackers.kinds import ATTACKS, attacker
from agents.custom import Guest
from agents.depositors import Depositors, Quoting, Vault
from agents.liquidators import Liquidators
from agents.market_makers import MarketMakers
from agents.outsider import Outsider
from agents.retail import Retail
from agents.role import Actions, Endowment, Hedges, Role, Stream, Transfers
from agents.whales import Whales
from protocol.arithmetic import MICRO
from protocol.book import INSURANCE, VAULT, Ints, first_trader
from protocol.collateral import choose_leverage
from protocol.exchange import Exchange
from protocol.liquidations.keepers import Offers
from protocol.orders import Orders
from sim.configuration import Scenario
from sim.own_agents import guest
from sim.streams import stream
from sim.venue import Grid
from sim.venue_settings import ProtocolSettings

Party = TypeVar("Party", bound=Role)
Part = TypeVar("Part", Orders, Transfers, Hedges, Offers)


class Population(NamedTuple):
    """The Mesa agents of a run, in the order in which they act, and the size of the venue."""

    retail: Retail
    makers: MarketMakers
    arbitrageurs: Arbitrageurs
    liquidators: Liquidators
    depositors: Depositors
    vault: Vault | None
    whales: Whales
    outsider: Outsider | None
    actors: tuple[Actor, ...]
    attackers: tuple[Attack, ...]
    own: tuple[Guest, ...]

    @property
    def roles(self) -> list[Role]:
        """All roles that are present."""
        crowd: tuple[Role | None, ...] = self[:-3]
        return [*(role for role in crowd if role is not None), *self.parties]

    @property
    def parties(self) -> tuple[Actor | Attack | Guest, ...]:
        """Those who have names of the scenario's own."""
        return (*self.actors, *self.attackers, *self.own)

    @property
    def hedgers(self) -> Ints:
        """Accounts that hold outside the opposite of what they hold on the venue."""
        roles = (self.makers, self.arbitrageurs, self.liquidators)
        return np.concatenate([role.accounts for role in roles])


def account_count(scenario: Scenario) -> int:
    """Number of accounts on the venue, its own included."""
    outsiders = 0 if scenario.world.impact.liquidations else 1
    return first_trader(len(scenario.markets)) + sum(scenario.agents.counts().values()) + outsiders


def outsider_of(scenario: Scenario) -> int | None:
    """Account that takes what is liquidated, the last one, where liquidations are to move no price."""
    return None if scenario.world.impact.liquidations else account_count(scenario) - 1


def settle_in(model: mesa.Model, scenario: Scenario, units: Grid, seed: int) -> Population:
    """Create the roles; each owns a run of consecutive accounts behind the venue's own."""
    agents, vault, markets = scenario.agents, scenario.protocol.vault, scenario.markets
    streams = partial(stream, seed)
    first, outsider = first_trader(len(markets)), outsider_of(scenario)

    def next_accounts(count: int) -> Ints:
        nonlocal first
        first += count
        return np.arange(first - count, first, dtype=np.int64)

    return Population(
        Retail(model, next_accounts(agents.retail.accounts), streams, agents.retail, markets),
        MarketMakers(
            model, next_accounts(agents.market_makers.accounts), streams, agents.market_makers, markets
        ),
        Arbitrageurs(model, next_accounts(agents.arbitrageurs.accounts), streams, agents.arbitrageurs),
        Liquidators(
            model, next_accounts(agents.liquidators.accounts), streams, agents.liquidators, len(markets)
        ),
        Depositors(model, next_accounts(agents.depositors.accounts), streams, agents.depositors),
        Vault(
            model,
            np.array([VAULT]),
            streams,
            Quoting(vault.spread, vault.layers if vault.quotes else 0, vault.order_share, vault.skew),
        )
        if vault.quotes or scenario.protocol.backstop.rule == "takeover"
        else None,
        Whales(model, next_accounts(agents.whales.accounts), streams, agents.whales, len(markets)),
        Outsider(model, np.array([outsider]), streams) if outsider is not None else None,
        tuple(
            named(Actor(model, next_accounts(actor.accounts), streams, actor, units), name)
            for name, actor in agents.actors.items()
        ),
        *_guests(model, next_accounts, streams, scenario),
    )


def _guests(
    model: mesa.Model, next_accounts: Callable[[int], Ints], streams: Stream, scenario: Scenario
) -> tuple[tuple[Attack, ...], tuple[Guest, ...]]:
    """Attackers and agents of the user's own; each draws from streams of its own name."""
    attackers = tuple(
        named(
            attacker(
                model,
                next_accounts(ATTACKS[attack.kind].wallets),
                partial(streams, "attackers", name),
                attack,
                scenario.markets.index(attack.market),
            ),
            name,
        )
        for name, attack in scenario.agents.attackers.items()
    )
    own = tuple(
        named(guest(model, next_accounts(own.accounts), partial(streams, "own", name), own), name)
        for name, own in scenario.agents.own.items()
    )
    return attackers, own


def named(party: Party, name: str) -> Party:
    """A party under the name that the scenario gives it."""
    party.name = name
    return party


def without(role: Role, endowment: Endowment, absent: Ints) -> Endowment:
    """An endowment of which those who are absent, (k,) accounts, bring nothing."""
    gone = np.isin(role.accounts, absent)
    if not gone.any():
        return endowment
    parts = {name: np.where(gone, 0, part) for name, part in endowment._asdict().items() if part is not None}
    return endowment._replace(**parts)


def of_present(actions: Actions, absent: Ints) -> Actions:
    """What a role wants to happen, without what those of it who are absent, (k,) accounts, want."""
    if not len(absent):
        return actions
    return actions._replace(
        orders=_of_present(actions.orders, absent),
        transfers=_of_present(actions.transfers, absent),
        hedges=_of_present(actions.hedges, absent),
        offers=_of_present(actions.offers, absent),
        senders=np.setdiff1d(actions.senders, absent),
    )


def _of_present(part: Part, absent: Ints) -> Part:
    present = ~np.isin(part.account, absent)
    return type(part)._make(column[present] for column in part)


def bring_in(exchange: Exchange, role: Role, endowment: Endowment) -> None:
    """Credit a role's deposits and assets; give it its opening positions, entered at the opening price.

    Accounts that ask to be held to a leverage of their own are, where they meet it.
    """
    book = exchange.book
    exchange.open_accounts(role.accounts, endowment.cash, endowment.assets)
    book.size[:, role.accounts] = endowment.size
    book.entry[:, role.accounts] = np.where(endowment.size != 0, book.mark[:, None], 0)
    book.kept[:, role.accounts] = np.where(endowment.size != 0, book.keeping[:, None], 0)
    book.cash[role.accounts] -= book.mark @ endowment.size
    book.open_interest[:] += np.maximum(endowment.size, 0).sum(axis=1)
    if endowment.own_initial is not None:
        for index in np.flatnonzero(endowment.own_initial).tolist():
            rate = int(endowment.own_initial[index])
            choose_leverage(book, exchange.parameters, int(role.accounts[index]), rate)


def seat_counterparties(exchange: Exchange, residual: Ints) -> None:
    """Give each market's automated counterparty the position, (m,) [lots], that users leave open."""
    book = exchange.book
    markets = np.arange(len(residual))
    book.size[markets, book.counterparty] += residual
    book.entry[markets, book.counterparty] = np.where(residual != 0, book.mark, 0)
    np.subtract.at(book.cash, book.counterparty, book.mark * residual)
    book.open_interest[:] += np.maximum(residual, 0)


def endow(exchange: Exchange, people: Population, scenario: Scenario) -> list[tuple[Role, Endowment]]:
    """Open the venue: retail's positions, their counterparties, the insurance fund and the vault.

    The long side of retail reaches the venue's share of the market's open interest; arbitrageurs carry
    what retail's two sides leave open, or the pool where there is one.
    """
    price, parameters = exchange.book.mark.copy(), exchange.parameters
    interest = scenario.world.share * scenario.world.open_interest * MICRO
    absent = np.array(scenario.agents.absent, np.int64)
    crowd = without(people.retail, people.retail.endow(interest, price, parameters), absent)
    large = without(people.whales, people.whales.endow(interest, price, parameters), absent)
    residual = -crowd.size.sum(axis=1) - large.size.sum(axis=1)
    carried = np.zeros_like(residual) if exchange.venue.automated else residual
    deposits = {VAULT: scenario.protocol.vault.deposits * MICRO} if people.vault else {}
    if scenario.protocol.venue.kind != "order_book":
        for purse, market in zip(
            exchange.book.counterparty.tolist(), scenario.protocol.markets.values(), strict=True
        ):
            deposits[purse] = deposits.get(purse, 0.0) + market.liquidity * MICRO
    brought: list[tuple[Role, Endowment]] = [
        (people.retail, crowd),
        (people.makers, people.makers.endow(interest, price)),
        (
            people.arbitrageurs,
            people.arbitrageurs.endow(interest, price, carried, parameters.isolated, absent),
        ),
        (people.liquidators, people.liquidators.endow(interest, price)),
        (people.depositors, people.depositors.endow(deposits, price)),
        (people.whales, large),
        *([(people.outsider, people.outsider.endow(interest, price))] if people.outsider else []),
        *((party, party.endow(price)) for party in people.parties),
    ]
    brought = [(role, without(role, endowment, absent)) for role, endowment in brought]
    for role, endowment in brought:
        bring_in(exchange, role, endowment)
    seat_counterparties(exchange, residual - carried)
    exchange.venue.refresh(exchange.book, parameters, 0.0, exchange.usable.quote)
    fill_purses(exchange, scenario.protocol)
    for account, purse in zip(people.depositors.accounts.tolist(), people.depositors.purse, strict=True):
        money = int(exchange.book.cash[account])
        if exchange.buy_shares(account, int(purse), money) == 0 and money > 0:
            raise ValueError(f"a deposit must buy shares, got 0 for {money} micro-USD into account {purse}")
    return brought


def fill_purses(exchange: Exchange, settings: ProtocolSettings) -> None:
    """Bring in the insurance fund and, where price impact is paid, the purses that it is paid from."""
    exchange.deposit(INSURANCE, round(settings.insurance_fund * MICRO))
    if settings.venue.kind == "impact_pool":
        for purse, market in zip(exchange.book.impact.tolist(), settings.markets.values(), strict=True):
            exchange.deposit(purse, round(market.pool.impact_pool * MICRO))
