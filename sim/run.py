"""One run: a pure function of scenario and seed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import pandas as pd

from protocol.arithmetic import MICRO
from sim.configuration import Scenario
from sim.frames import Tables
from sim.metrics import summarise
from sim.model import Model
from sim.stored_tables import StoredTables

REPORTED_BLOCKS = 15
MANY = 200_000


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    block: int
    blocks: int
    time: datetime
    prices: Mapping[str, float]
    open_interest_usd: float
    liquidated_usd: float


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes
    ----------
    scenario : Scenario
    seed : int
    accounts : int
        On the venue, its own included.
    tables : mapping of str to DataFrame
        As they are written to the run folder. Those of a large run lie on disk, and are read at each access.
    transcript : str
        Hash of all events and of the final state.
    """

    scenario: Scenario
    seed: int
    accounts: int
    tables: Mapping[str, pd.DataFrame]
    transcript: str

    @cached_property
    def summary(self) -> Mapping[str, float | None]:
        """Metrics; None where one has no meaning in this run.

        They are worked out when first asked for, by when the model of a large run may have been let go.
        """
        return summarise(self.tables, tuple(self.scenario.protocol.markets), self.scenario.clock.block)


def run(scenario: Scenario, seed: int, progress: Callable[[Progress], None] | None = None) -> Result:
    """Simulate a scenario.

    Parameters
    ----------
    scenario : Scenario
    seed : int
        Not negative; with the scenario it determines every byte of the result.
    progress : callable, optional
        Called now and then while the run goes on.

    Raises
    ------
    InvariantError
        When the venue's state breaks one of its laws; names the block and the seed.
    """
    model = Model(scenario, seed)
    try:
        for block in range(1, scenario.clock.blocks + 1):
            model.step()
            if progress and (block % REPORTED_BLOCKS == 0 or block == scenario.clock.blocks):
                progress(_progress(model))
        return finished(model)
    finally:
        model.close()


def _progress(model: Model) -> Progress:
    book, markets = model.exchange.book, model.recorder.markets[: model.block]
    liquidated = markets["long_liquidated_usd"].sum() + markets["short_liquidated_usd"].sum()
    return Progress(
        block=model.block,
        blocks=model.scenario.clock.blocks,
        time=model.scenario.clock.start.astimezone(UTC) + timedelta(seconds=model.time),
        prices=dict(zip(model.units.names, model.units.usd(book.mark).tolist(), strict=True)),
        open_interest_usd=float((book.open_interest * book.mark).sum() / MICRO),
        liquidated_usd=float(liquidated),
    )


def finished(model: Model) -> Result:
    """What a model that has come to its end leaves behind."""
    made, accounts = Tables(model.recorder), len(model.exchange.book.cash)
    large = accounts > MANY or any(log.spilled for log in model.recorder.events.values())
    tables = StoredTables(made.parts()) if large else made.all()
    return Result(model.scenario, model.seed_value, accounts, tables, model.recorder.transcript())
