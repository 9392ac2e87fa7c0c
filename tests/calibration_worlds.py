"""A world of two regimes, laws that are right and wrong about it, and how often tests reject each.

    python tests/calibration_worlds.py --seeds 200

prints the tables of docs/calibration.md. A model takes about a quarter of a second in each world.
"""

import argparse
import sys
from functools import cache

import numpy as np

from agents.models.hmm import HMM
from agents.models.loss_law import loss_law, state_returns
from agents.models.parameters import Markov, stationary_law
from agents.models.sampling import sample_path
from agents.models.volatility import Ewma, Fixed, GarchT, Volatility
from analysis.calibration import Calibration, calibration
from analysis.forecasts import Forecasts, block_sums, regime_forecasts, volatility_forecasts
from protocol.book import Floats
from sim.streams import stream

CHAIN = np.array([[1 - 1 / 200, 1 / 200], [1 / 50, 1 - 1 / 50]])
LEVEL, TRAINING, DRAWS = 0.975, 8000, 199
WINDOWS = {1: 2000, 24: 500}
COMPETITORS: dict[str, Volatility] = {"fixed": Fixed(), "ewma": Ewma(24.0), "garch": GarchT()}
WRONG = ("gaussian", "one regime", "frozen", "scaled")
MODELS = ("true", "fitted", *WRONG, *COMPETITORS)


def truth() -> Markov:
    """Calm for 200 steps, then wild for 50 at four times the volatility; Student-t of 5 degrees."""
    scale = np.array([0.004, 0.016]) ** 2
    return Markov(stationary_law(CHAIN), CHAIN, np.zeros((2, 1)), scale[:, None, None], np.full(2, 5.0))


def world(count: int, *name: str | int) -> Floats:
    values, _ = sample_path(truth(), count, stream(1, "calibration", *name))
    return values[:, 0]


@cache
def mistaken(name: str) -> Markov:
    """What a wrong model becomes if it learns from a very long sample."""
    values = world(60_000, "long")
    if name == "gaussian":
        return HMM(2, "gaussian").fit(values, start=truth()._replace(degrees=np.full(2, np.inf))).parameters_
    return HMM(1, "student_t").fit(values).parameters_


def forecasts_of(model: str, train: Floats, values: Floats, steps: int) -> Forecasts:
    """What a model says of each horizon."""
    own = truth()
    if model in COMPETITORS:
        return volatility_forecasts(values, COMPETITORS[model].fit(train), steps)
    if model == "fitted":
        own = HMM(2).fit(train, start=truth()).parameters_
    if model in ("gaussian", "one regime"):
        own = mistaken(model)
    if model == "frozen":
        return regime_forecasts(values, own, steps, loss_law(state_returns(own), np.eye(2), steps))
    if model == "scaled":
        returns = state_returns(own)
        narrow = returns._replace(scale=0.8 * returns.scale)
        return regime_forecasts(values, own, steps, loss_law(narrow, own.transition, steps))
    return regime_forecasts(values, own, steps)


def judged(model: str, steps: int, seed: int) -> Calibration:
    """Every test of one model in one world."""
    values = world(TRAINING + steps * WINDOWS[steps], seed)
    train, fresh = values[:TRAINING], values[TRAINING:]
    found = forecasts_of(model, train, fresh, steps)
    return calibration(
        found, block_sums(fresh, steps), LEVEL, stream(seed, "calibration", "null", model), DRAWS
    )


def rejections(model: str, steps: int, seeds: int) -> dict[str, float]:
    """Share of worlds in which each test rejects at 5 %."""
    p_values = np.array(
        [[each.p_value for each in judged(model, steps, seed)] for seed in range(1, seeds + 1)]
    )
    return dict(zip(Calibration._fields, (p_values < 0.05).mean(axis=0).tolist(), strict=True))


def table(steps: int, seeds: int) -> str:
    """Rejections by model and test, in per cent, as Markdown."""
    lines = [f"{steps} steps ahead, {WINDOWS[steps]} horizons, {seeds} worlds:", ""]
    lines += [
        "| " + " | ".join(["%", *Calibration._fields]) + " |",
        "|---" * (len(Calibration._fields) + 1) + "|",
    ]
    for model in MODELS:
        if (model, steps) != ("frozen", 1):
            found = rejections(model, steps, seeds).values()
            lines.append("| " + " | ".join([model, *(f"{100 * each:.0f}" for each in found)]) + " |")
    return "\n".join([*lines, "", ""])


def main(arguments: list[str]) -> int:
    """Print a table for each horizon."""
    parser = argparse.ArgumentParser(description="Sizes and powers of the tests of calibration.")
    parser.add_argument("--seeds", type=int, default=200)
    chosen = parser.parse_args(arguments)
    for steps in WINDOWS:
        sys.stdout.write(table(steps, chosen.seeds))
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
