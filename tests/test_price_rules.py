"""What the settings of price generators must obey, each mistake named with rule, value and place."""

from pathlib import Path

import pytest

from sim.scenario import ScenarioError, load_scenario

CALM = "{name: calm, duration: 5d, volatility: {BTC: 0.5, ETH: 0.6}"

WRONG = {
    "{kind: regimes, regimes: []}": "world.prices.regimes: ",
    f"{{kind: regimes, regimes: [{CALM}}}, {CALM}}}]}}": "regimes must have different names",
    f"{{kind: regimes, regimes: [{CALM}, next: {{wild: 1}}}}]}}": "no such regime 'wild'",
    f"{{kind: regimes, regimes: [{CALM}, next: {{calm: 1}}}}]}}": "odds of another regime must be above 0",
    f"{{kind: regimes, initial: clam, regimes: [{CALM}}}]}}": "no such regime 'clam'; did you mean calm?",
    f"{{kind: regimes, step: 10d, regimes: [{CALM}}}]}}": (
        "world.prices.regimes.0: a mean stay must be at least world.prices.step=864000s, got duration=432000s"
    ),
    f"{{kind: regimes, regimes: [{CALM}, correlation: -1.5}}]}}": "correlation: must be >= -1, got -1.5",
    "{kind: regimes, regimes: [{duration: 1d, volatility: {BTC: 1}}]}": (
        "world.prices.regimes.0.volatility: market ETH needs a value"
    ),
    "{kind: regimes, degrees: 2}": "world.prices.degrees: must be > 2, got 2",
    "{kind: garch, alpha: {BTC: 0.5}, beta: {BTC: 0.5}}": (
        "alpha + beta < 1 must hold of BTC, got alpha=0.5, beta=0.5"
    ),
    "{kind: heston, leverage: -1.1}": "world.prices.leverage: must be >= -1, got -1.1",
    "{kind: jumps, common: {rate: 1}}": "world.prices.common.sigma: must be given",
    "{kind: bootstrap, path: nowhere.csv}": "the file's name must hold {market} or one of BTC, ETH",
    "{kind: bootstrap, path: 'nowhere_{market}.csv'}": "nowhere_BTC.csv  no such candle file",
    "{kind: garch, step: 1h, points: []}": "world.prices.points: unknown key",
}


def scenario(folder: Path, prices: str, clock: str = "{duration: 2h}") -> Path:
    file = folder / "mine.yaml"
    file.write_text(f"extends: base\nclock: {clock}\nworld:\n  prices: {prices}\n")
    return file


@pytest.mark.parametrize("prices", WRONG)
def test_a_mistake_is_named(tmp_path: Path, prices: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(scenario(tmp_path, prices))

    assert WRONG[prices] in str(caught.value)


@pytest.mark.parametrize("kind", ["regimes", "garch", "heston", "jumps"])
def test_a_kind_alone_is_enough_for_the_usual_markets(tmp_path: Path, kind: str) -> None:
    loaded = load_scenario(scenario(tmp_path, f"{{kind: {kind}}}"))

    assert loaded.world.prices.kind == kind


def test_the_place_of_a_broken_rule_is_its_line(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"mine\.yaml:4  world\.prices: alpha \+ beta < 1"):
        load_scenario(scenario(tmp_path, "{kind: garch, beta: {BTC: 0.99}}"))


def test_too_many_steps_are_refused(tmp_path: Path) -> None:
    prices = "{kind: heston, step: 1s}"
    with pytest.raises(ScenarioError, match="must be at most 5,000,000 steps, got step=1s"):
        load_scenario(scenario(tmp_path, prices, "{duration: 365d, block: 1h}"))


def test_bars_of_different_length_make_no_bootstrap(tmp_path: Path) -> None:
    head = "date,open,high,low,close,volume\n"
    for name, minutes in (("btc", 0), ("eth", 30)):
        rows = [
            f"2024-01-01T{h:02}:{m:02}:00Z,1,1,1,1,1" for h in range(2) for m in range(0, 60, 60 - minutes)
        ]
        (tmp_path / f"{name}.csv").write_text(head + "\n".join(rows) + "\n")
    with pytest.raises(ScenarioError, match="bars of one length, got BTC=3600s, ETH=1800s"):
        load_scenario(scenario(tmp_path, "{kind: bootstrap, path: btc.csv}"))
