"""Where the time of a block goes, phase by phase, and what the outside world costs; never a gate.

Two models of one scenario step in turn, so that a drift of the machine's speed strikes both: one without
gas that moves, sentiment, whales, frightened people and hunters, with linear impact; one with all of it.
`make bench` prints microseconds a block. Ratios hold when single times do not.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from time import perf_counter
from typing import Any

import pytest

from sim.model import Model
from sim.scenario import load_scenario

SIZES = (1_000, 10_000, 100_000, 1_000_000)
WARM, BLOCKS = 10, 150
OFF = ("world.gas.sigma=0", "agents.whales.accounts=0", "agents.liquidators.predation=0")
ON = (
    "world.gas.kind=eip1559",
    "world.impact.law=square_root",
    "world.sentiment.gain=3",
    "world.sentiment.noise=0.14",
    "agents.whales.accounts=20",
    "agents.liquidators.predation=0.3",
    "agents.retail.panic=0.1",
    "agents.retail.alarm=1",
    "agents.retail.hedgers=0.05",
    "agents.retail.carriers=0.05",
)
PHASES = {
    "outside world": ("world", "advance"),
    "book observed": ("exchange", "observe"),
    "oracle and mark": ("exchange", "update_prices"),
    "funding": ("exchange", "advance_funding"),
    "view": ("", "view"),
    "matching": ("", "_trade"),
    "liquidation": ("", "_liquidate"),
    "hedges": ("", "_hedge"),
    "gas paid": ("", "_pay_gas"),
    "cash moves": ("", "_transfer"),
    "invariants": ("exchange", "check"),
    "recording": ("recorder", "record"),
}


class Stopwatch:
    """Seconds that a model spends in each phase, and in all of `step`."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.seconds: dict[str, float] = defaultdict(float)
        for phase, (part, method) in PHASES.items():
            self._watch(getattr(model, part) if part else model, method, phase)
        for role in model.people.roles:
            self._watch(role, "act", f"agents: {role.name}")

    def _watch(self, owner: Any, method: str, phase: str) -> None:
        setattr(owner, method, self.timed(getattr(owner, method), phase))

    def timed(self, act: Callable[..., Any], phase: str) -> Callable[..., Any]:
        """The same act, its time added to a phase."""

        @wraps(act)
        def timed(*arguments: Any, **options: Any) -> Any:
            start = perf_counter()
            try:
                return act(*arguments, **options)
            finally:
                self.seconds[phase] += perf_counter() - start

        return timed

    def step(self) -> None:
        """Advance the model by a block, and time the whole."""
        self.timed(self.model.step, "block")()

    def micros(self) -> dict[str, float]:
        """Microseconds a block of each phase, and of what lies between them."""
        found = {phase: 1e6 * seconds / BLOCKS for phase, seconds in self.seconds.items()}
        whole = found.pop("block")
        return found | {"between phases": whole - sum(found.values()), "block": whole}


def made(accounts: int, settings: tuple[str, ...]) -> Stopwatch:
    changes = ("clock.duration=4h", f"agents.retail.accounts={accounts}", *settings)
    model = Model(load_scenario("btc_eth_regimes", changes), 1)
    for _ in range(WARM):
        model.step()
    return Stopwatch(model)


def test_cost_of_a_block_by_phase_without_and_with_the_outside_world(
    capsys: pytest.CaptureFixture[str],
) -> None:
    columns = {}
    for accounts in (SIZES[0], *SIZES):  # the first time compiles what a block may need, and is not told
        pair = [made(accounts, settings) for settings in (OFF, ON)]
        for _ in range(BLOCKS):
            for watch in pair:
                watch.step()
        columns[accounts] = [watch.micros() for watch in pair]
    with capsys.disabled():
        print(table(columns))

    assert all(found["block"] > 0 for pair in columns.values() for found in pair)


def table(columns: dict[int, list[dict[str, float]]]) -> str:
    """Phases down, populations across: µs a block without the outside world, with it, and the ratio."""
    lines = ["\nµs a block    " + "".join(f"{accounts:>25,} accounts" for accounts in columns)]
    for phase in next(iter(columns.values()))[1]:
        cells = [(off.get(phase, 0.0), on.get(phase, 0.0)) for off, on in columns.values()]
        told = [f"{off:11.0f} {on:10.0f} {on / off if off else float('nan'):11.2f}" for off, on in cells]
        lines.append(f"{phase:22}" + " ".join(told))
    return "\n".join(lines)
