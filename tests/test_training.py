"""What a risk engine has learned from before it begins."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agents.engine.opening import open_forecaster
from agents.engine.regimes import Regimes
from sim.configuration import Scenario
from sim.problems import ScenarioError
from sim.scenario import load_scenario
from sim.streams import stream
from sim.sweeps.tasks import scenario_digest
from sim.training import training_sample

ENGINE = ("risk_engine.model=hmm", "risk_engine.training.length=100d")


def two_regimes(*overrides: str) -> Scenario:
    """The laboratory with a risk engine."""
    return load_scenario("two_regimes", [*ENGINE, *overrides])


def candles(folder: Path, bars: int = 3000, minutes: int = 30, seed: int = 0) -> Path:
    """Candles of bitcoin that end as the laboratory's run begins."""
    moves = stream(seed, "training", "candles").standard_t(5, bars) * 0.003
    close = 40_000 * np.exp(np.cumsum(moves))
    opened = np.append(40_000, close[:-1])
    date = pd.date_range(end="2023-12-31 23:30", periods=bars, freq=f"{minutes}min", tz="UTC")
    frame = pd.DataFrame({"date": date, "open": opened, "close": close, "volume": 1.0})
    frame["high"], frame["low"] = frame[["open", "close"]].max(axis=1), frame[["open", "close"]].min(axis=1)
    file = folder / "btc.csv"
    frame.to_csv(file, index=False)
    return file


def test_a_history_is_of_the_same_kind_as_the_run_and_no_part_of_it() -> None:
    scenario = two_regimes("risk_engine.training.length=1000d")
    sample, other = training_sample(scenario, 1), training_sample(scenario, 2)

    assert sample is not None
    assert other is not None
    assert sample.returns.shape == (24_000, 1)
    assert sample.label is None
    assert not np.array_equal(sample.returns, other.returns)
    fitted = open_forecaster(scenario.risk_engine, sample, ["BTC"])
    assert isinstance(fitted, Regimes)
    volatility = fitted.parameters.volatility[:, 0] * np.sqrt(24 * 365)
    assert volatility == pytest.approx([0.375, 1.5], rel=0.15)
    assert fitted.parameters.dwell == pytest.approx([200, 50], rel=0.5)


def test_hindsight_alone_is_given_labels_and_they_tell_calm_from_wild() -> None:
    sample = training_sample(two_regimes("risk_engine.model=hindsight"), 1)

    assert sample is not None
    assert sample.label is not None
    spread = [sample.returns[sample.label == label].std() for label in (0, 1)]
    assert spread[1] > 2.5 * spread[0]


def test_a_regime_that_never_came_in_training_does_not_surprise_hindsight() -> None:
    scenario = two_regimes("risk_engine.model=hindsight")
    rare = scenario.risk_engine
    sample = training_sample(scenario, 1)

    assert sample is not None
    assert sample.label is not None
    assert sample.regimes == 2
    model = open_forecaster(rare, sample._replace(label=np.zeros_like(sample.label)), ["BTC"])
    model.observe(np.zeros((1, 1)), np.zeros(1), 1)
    assert model.state.tolist() == [0, 1]
    assert model.outlooks()[0].now.shortfall > 0


def test_prices_that_are_given_borrow_the_usual_history() -> None:
    given = load_scenario("black_thursday", ENGINE)
    named = load_scenario("black_thursday", [*ENGINE, "risk_engine.training.prices=btc_eth_regimes"])

    assert np.array_equal(training_sample(given, 1).returns, training_sample(named, 1).returns)  # type: ignore[union-attr]


def test_candles_are_summed_to_steps_and_end_before_the_run(tmp_path: Path) -> None:
    file = candles(tmp_path)
    chosen = f"risk_engine.training={{kind: candles, path: {file}, length: 50d}}"
    sample = training_sample(two_regimes(chosen), 1)
    close = pd.read_csv(file)["close"].to_numpy()

    assert sample is not None
    assert len(sample.returns) == 50 * 24
    assert sample.returns[-1, 0] == pytest.approx(np.log(close[-1] / close[-3]))
    assert sample.inputs[:, :, 0].tolist() == sample.returns.tolist()


def test_volatility_is_realised_within_a_step(tmp_path: Path) -> None:
    file = candles(tmp_path)
    training = f"risk_engine.training={{kind: candles, path: {file}, length: 50d}}"
    sample = training_sample(two_regimes(training, "risk_engine.inputs=[volatility]"), 1)
    moves = np.diff(np.log(pd.read_csv(file)["close"]))[-2:]

    assert sample is not None
    assert sample.inputs[-1, 0, 0] == pytest.approx(np.log(np.sqrt((moves**2).sum() * 24 * 365)))


@pytest.mark.parametrize(
    ("bars", "minutes", "rule"),
    [
        (3000, 45, "every=3600s must be a multiple of the length of the bars"),
        (150, 30, "at least 100 steps of 3600 s are needed before"),
    ],
)
def test_candles_that_do_not_fit_are_refused_with_their_place(
    tmp_path: Path, bars: int, minutes: int, rule: str
) -> None:
    file = candles(tmp_path, bars, minutes)
    with pytest.raises(ScenarioError) as caught:
        two_regimes(f"risk_engine.training={{kind: candles, path: {file}, length: 50d}}")

    assert rule in str(caught.value)
    assert "risk_engine.training.path" in str(caught.value)


def test_a_gap_in_candles_is_a_step_without_a_return(tmp_path: Path) -> None:
    file = candles(tmp_path)
    training = f"risk_engine.training={{kind: candles, path: {file}, length: 50d}}"
    whole = training_sample(two_regimes(training), 1)
    frame = pd.read_csv(file)
    frame.drop(index=[2900, 2901]).to_csv(file, index=False)
    gappy = training_sample(two_regimes(training), 1)

    assert whole is not None
    assert gappy is not None
    gone = np.isnan(gappy.returns[:, 0])
    assert 1 <= gone.sum() <= 2
    assert np.array_equal(gappy.returns[~gone], whole.returns[~gone])


def test_what_an_engine_was_trained_on_is_part_of_a_scenario(tmp_path: Path) -> None:
    chosen = f"risk_engine.training={{kind: candles, path: {candles(tmp_path)}, length: 50d}}"
    before = scenario_digest(two_regimes(chosen))
    (tmp_path / "moved").mkdir()
    moved = candles(tmp_path / "moved")
    elsewhere = scenario_digest(two_regimes(chosen.replace(str(tmp_path), str(moved.parent))))
    candles(tmp_path, seed=1)

    assert elsewhere == before
    assert scenario_digest(two_regimes(chosen)) != before
    assert scenario_digest(two_regimes()) != scenario_digest(
        two_regimes("risk_engine.training.prices=btc_eth_regimes")
    )


@pytest.mark.long
@pytest.mark.slow
def test_the_number_of_regimes_can_be_chosen_by_prediction() -> None:
    scenario = two_regimes("risk_engine.states=auto", "risk_engine.training.length=300d")
    sample = training_sample(scenario, 3)

    assert sample is not None
    assert len(open_forecaster(scenario.risk_engine, sample, ["BTC"]).states) == 2
