"""What a block costs at ten thousand and at a million accounts when the same happens in it; never a gate.

Two models of `calm` step in turn, so that a drift of the machine's speed strikes both. In a quiet block as
many people decide and look at their margins in both; in a usual one everybody does so as often as ever, a
hundred times as many in the larger one.
"""

import statistics
import time

import pytest

from sim.model import Model
from sim.scenario import load_scenario

FEW, MANY = 10_000, 1_000_000
WARM, BLOCKS, ROUNDS = 20, 60, 5


def made(accounts: int, decisions: float) -> Model:
    """A calm market in which each account decides, and looks, so many times as often as usual."""
    rates = [f"agents.retail.{name}={4.0 * decisions}" for name in ("attention", "top_up_rate")]
    model = Model(load_scenario("calm", [f"agents.retail.accounts={accounts}", *rates]), 1)
    for _ in range(WARM):
        model.step()
    return model


def milliseconds(model: Model) -> list[float]:
    """Processor time of some blocks, each."""
    times = []
    for _ in range(BLOCKS):
        start = time.process_time()
        model.step()
        times.append(1e3 * (time.process_time() - start))
    return times


@pytest.mark.parametrize(("kind", "decisions"), [("quiet", FEW / MANY), ("usual", 1.0)])
def test_cost_of_a_block_at_a_million_accounts_over_ten_thousand(
    kind: str, decisions: float, capsys: pytest.CaptureFixture[str]
) -> None:
    few, many = made(FEW, 1.0), made(MANY, decisions)
    rounds = [[milliseconds(model) for model in (few, many)] for _ in range(ROUNDS)]
    medians = [[statistics.median(each) for each in pair] for pair in rounds]
    means = [[statistics.mean(each) for each in pair] for pair in rounds]
    with capsys.disabled():
        for name, found in (("median", medians), ("mean", means)):
            ratios = sorted(larger / smaller for smaller, larger in found)
            small, large = (statistics.median(column) for column in zip(*found, strict=True))
            print(
                f"\n{kind} block, {name}: {small:5.2f} ms at {FEW:,} accounts, {large:5.2f} ms at {MANY:,}: "
                f"{statistics.median(ratios):.2f} times [{ratios[0]:.2f} to {ratios[-1]:.2f}]"
            )
    orders = [model.recorder.blocks["orders"][WARM : model.block].mean() for model in (few, many)]
    for model in (few, many):
        model.exchange.check(model.block, 1, whole=True)
        model.close()

    assert few.block == many.block == WARM + ROUNDS * BLOCKS
    assert (orders[1] < 1.2 * orders[0]) == (kind == "quiet")
