"""A trader of one's own: the class that a user starts from, and the role that runs what the user wrote.

What the user's object returns is checked before the venue sees it, so that a slip ends the run with the
user's file and line, and not somewhere inside the venue.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, Protocol

import mesa
import numpy as np
from pydantic import JsonValue

from agents.blame import PluginError, method_place, user_place
from agents.returned import checked
from agents.role import Actions, Endowment, Role, Stream, View
from agents.settings import Settings, parameter
from protocol.arithmetic import MICRO
from protocol.book import Book, Floats, Ints
from protocol.orders import IMMEDIATE, REST, Orders, orders


class OwnSettings(Settings):
    """A trader of one's own; `settings` reaches its class as it is written."""

    agent: str = parameter(..., "", description="module:Class")
    folder: str = parameter(".", "", description="where its module is looked for before sys.path")
    accounts: int = parameter(1, "1", ge=1, le=1_000_000)
    cash: float = parameter(1000.0, "USD", ge=0, description="on the venue at the start, of each account")
    wallet: float = parameter(0.0, "USD", ge=0, description="outside at the start, of each account")
    settings: dict[str, JsonValue] = parameter({}, "", description="handed to the class")


class Decides(Protocol):
    """What a user's object has to do."""

    def act(self, view: View) -> Actions | Orders:
        """Decide on one block."""


class Trader:
    """A trader of one's own: derive from it and write `act(view)`.

    Deriving saves lines; any class does that is made in the same way and has the same `act`.

    Parameters
    ----------
    accounts : (k,) int64
        Its accounts on the venue.
    stream : callable
        `stream(*name)` makes the random generator of one named decision; the only source of chance.
    settings : mapping
        What the scenario says under `settings`.
    """

    def __init__(self, accounts: Ints, stream: Stream, settings: Mapping[str, Any]) -> None:
        self.accounts = accounts
        self.stream = stream
        self.settings = settings

    def act(self, view: View) -> Actions | Orders:
        """Decide on one block."""
        raise NotImplementedError(f"{type(self).__name__} must have a method act(view)")

    def mid(self, view: View, market: str) -> float:
        """Middle of the venue's book [USD per base unit]; the outside price where a side is empty."""
        column = _column(view, market)
        return float(view.mid[column] / (view.lot[column] * MICRO))

    def position(self, view: View, market: str) -> Floats:
        """Own positions, (k,) [base units]; long > 0."""
        column = _column(view, market)
        held: Floats = view.book.size[column, self.accounts] * view.lot[column]
        return held

    def equity(self, view: View) -> Floats:
        """Equity of the own accounts, (k,) [USD]."""
        worth: Floats = view.risk_of(self.accounts)[0] / MICRO
        return worth

    def order(
        self, view: View, market: str, size: float | Floats, limit: float = 0.0, rests: float = 0.0
    ) -> Orders:
        """One order of each account.

        Parameters
        ----------
        view : View
        market : str
            Its name.
        size : float or (k,) float64
            Signed, positive buys [base units]; rounded to lots toward zero, and none where that is zero.
        limit : float
            Worst price [USD per base unit]; 0 for any.
        rests : float
            How long what is not filled at once stays in the book [s]; 0: not at all.

        Raises
        ------
        ValueError
            For an unknown market, a size that is no finite number, or a limit below zero.
        """
        column = _column(view, market)
        sizes = np.broadcast_to(np.asarray(size, np.float64), len(self.accounts))
        if not np.isfinite(sizes).all():
            raise ValueError(f"a size must be a finite number, got {sizes[~np.isfinite(sizes)][0]}")
        if not (np.isfinite(limit) and limit >= 0):
            raise ValueError(f"limit >= 0 must hold, got {limit}")
        lots = np.trunc(sizes / view.lot[column]).astype(np.int64)
        worst = round(limit * view.lot[column] * MICRO)
        expiry = view.block + int(rests // view.seconds)
        return orders(self.accounts, column, lots, worst, kind=REST if rests else IMMEDIATE, expiry=expiry)


def _column(view: View, market: str) -> int:
    """Number of a market."""
    if market not in view.markets:
        raise ValueError(f"a market must be one of {', '.join(view.markets)}, got {market!r}")
    return view.markets.index(market)


class Guest(Role):
    """The Mesa agent that runs a user's own object.

    Parameters
    ----------
    trader : Decides
        The user's object.
    files : collection of Path
        Modules that the user wrote; an error is placed at the last line of these that led to it.
    """

    def __init__(
        self,
        model: mesa.Model,
        accounts: Ints,
        settings: OwnSettings,
        trader: Decides,
        files: Collection[Path],
    ) -> None:
        super().__init__(model, accounts, _no_stream)
        self.settings = settings
        self.trader = trader
        self.files = frozenset(files)

    def endow(self, price: Ints) -> Endowment:
        """Cash on the venue and outside, no positions."""
        count = len(self.accounts)
        cash = np.full(count, round(self.settings.cash * MICRO))
        wallet = np.full(count, self.settings.wallet * MICRO)
        return Endowment(cash, wallet, np.zeros((len(price), count), np.int64))

    def act(self, view: View) -> Actions:
        """What the user's object wants, once it is found to be possible."""
        try:
            returned = self.trader.act(shown(view))
        except Exception as error:  # noqa: BLE001 - whatever a user's code raises is told with its place
            place = user_place(error, self.files) or method_place(self.trader.act)
            self._refuse(place, f"{type(error).__name__}: {error}", view, error)
        try:
            return checked(returned, view, self.accounts)
        except (TypeError, ValueError) as error:
            self._refuse(method_place(self.trader.act), f"act returned what cannot be: {error}", view, error)

    def _refuse(self, place: str, told: str, view: View, error: Exception) -> NoReturn:
        moment = f"block {view.block}, seed {self.model.seed_value}"
        raise PluginError(f"{place}  agent {self.name}, {moment}: {told}") from error


def _no_stream(*name: str | int) -> np.random.Generator:
    """A guest itself decides nothing by chance; its trader has a stream."""
    raise NotImplementedError


@dataclass(frozen=True, eq=False)
class ProtectedView(View):
    """A view whose arrays cannot be written; risk is what the view itself says of it."""

    source: View | None = None

    @cached_property
    def risk(self) -> Ints:
        """See `View.risk`."""
        risk: Ints = _protected(self._source.risk)
        return risk

    def risk_of(self, accounts: Ints) -> Ints:
        """See `View.risk_of`."""
        return self._source.risk_of(accounts)

    @property
    def _source(self) -> View:
        if self.source is None:
            raise ValueError("a protected view must have a source")
        return self.source


def shown(view: View) -> View:
    """The view with its arrays protected, so that nobody changes the venue by mistake."""
    given = {field.name: getattr(view, field.name) for field in fields(View)}
    book = Book._make(_protected(column) for column in view.book)
    outside = {name: _protected(given[name]) for name in ("outside_size", "outside_cash", "outside")}
    return ProtectedView(**given | outside | {"book": book}, source=view)


def _protected(array: Any) -> Any:
    """The same numbers, which cannot be written."""
    if not isinstance(array, np.ndarray):
        return array
    readable = array.view()
    readable.flags.writeable = False
    return readable
