"""`seawall fit`: from candle files to a calibrated generator, and what it leaves on disk."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from analysis.figures import write_images
from analysis.fitting.bootstrap import fit_bootstrap
from analysis.fitting.estimates import Fit
from analysis.fitting.figure import goodness_figure
from analysis.fitting.garch import fit_garch
from analysis.fitting.heston import fit_heston
from analysis.fitting.jumps import fit_jumps
from analysis.fitting.regimes import fit_regimes
from analysis.fitting.replicas import Report, goodness, real_statistics, simulated
from analysis.fitting.samples import Samples, read_samples
from sim.problems import Problem, ScenarioError
from sim.provenance import plain

REPLICA_SEED = 10_000
MODELS: dict[str, Callable[[Samples], Fit]] = {
    "garch": fit_garch,
    "heston": fit_heston,
    "jumps": fit_jumps,
    "bootstrap": fit_bootstrap,
}
KINDS = ("regimes", *MODELS)
BASE_MARKETS = ("BTC", "ETH")


class Fitted(NamedTuple):
    """A calibrated generator held against its data.

    Attributes
    ----------
    kind : str
    fit : Fit
    samples : Samples
    goodness : DataFrame
        As returned by `analysis.fitting.replicas.goodness`.
    replicas : int
    """

    kind: str
    fit: Fit
    samples: Samples
    goodness: pd.DataFrame
    replicas: int


def silent(phase: str, done: int, total: int) -> None:
    """Report of nothing to nobody."""


def fit_prices(
    candles: Sequence[str], kind: str, replicas: int = 200, seed: int = 1, report: Report = silent
) -> Fitted:
    """Calibrate a generator and compare its paths with the data.

    Parameters
    ----------
    candles : sequence of str
        Candle files, as `PATH` or `NAME=PATH`.
    kind : str
        `regimes`, `garch`, `heston`, `jumps` or `bootstrap`.
    replicas : int
        Simulated paths of the same length and with the same gaps.
    seed : int
        Of the simulations.
    report : callable, optional
        Told the phase, what is done and of how much.

    Raises
    ------
    ScenarioError
        If the kind is unknown or the files cannot be used.
    """
    if kind not in KINDS:
        raise ScenarioError([Problem("--model", "", f"must be one of {', '.join(KINDS)}", kind)])
    samples = read_samples(candles)
    report(f"estimating {kind}", 0, 1)
    fit = fit_regimes(samples, seed, report) if kind == "regimes" else MODELS[kind](samples)
    begin = seed + REPLICA_SEED
    drawn = simulated(fit.settings, samples, range(begin, begin + replicas), report)
    return Fitted(kind, fit, samples, goodness(real_statistics(samples), drawn), replicas)


def write_fit(fitted: Fitted, file: Path) -> list[Path]:
    """Write the scenario file, and beside it the goodness of fit as a table (CSV) and a figure (SVG, PNG).

    Parameters
    ----------
    fitted : Fitted
    file : Path
        Of the scenario; its folder is made if it does not exist.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(scenario_text(fitted, file.stem), encoding="utf-8")
    table = file.with_suffix(".csv")
    fitted.goodness.to_csv(table, index=False, lineterminator="\n", float_format="%.6g")
    figure = goodness_figure(fitted.goodness, fitted.kind, fitted.replicas)
    return [file, table, *write_images({file.stem: figure}, file.parent)]


def outputs(file: Path) -> list[Path]:
    """Every file that `write_fit` writes."""
    return [file, *(file.with_suffix(suffix) for suffix in (".csv", ".svg", ".png"))]


def scenario_text(fitted: Fitted, name: str) -> str:
    """A scenario that extends the bundled one named `base` with the fitted prices; numbers in comments."""
    data: dict[str, Any] = {
        "extends": "base",
        "name": name,
        "description": f"Prices drawn from {fitted.kind}, fitted to {', '.join(fitted.samples.markets)}",
    }
    markets = fitted.samples.markets
    if set(markets) != set(BASE_MARKETS):
        absent = [market for market in BASE_MARKETS if market not in markets]
        kept: dict[str, Any] = {market: {} for market in markets}
        data["protocol"] = {"markets": kept | dict.fromkeys(absent, "none")}
    data["world"] = {"prices": _only(plain(fitted.fit.settings), markets)}
    body = yaml.safe_dump(data, sort_keys=False, default_flow_style=None, allow_unicode=True, width=100)
    return "".join(f"# {line}\n" for line in _remarks(fitted)) + body


def _only(value: Any, markets: Sequence[str]) -> Any:
    """Plain data without the entries of markets that were not fitted, and without what says nothing."""
    if isinstance(value, Mapping):
        absent = [market for market in BASE_MARKETS if market not in markets]
        return {
            key: _only(each, markets)
            for key, each in value.items()
            if key not in absent and each not in ({}, "")
        }
    return [_only(each, markets) for each in value] if isinstance(value, list) else value


def _remarks(fitted: Fitted) -> list[str]:
    lines = [f"{fitted.kind}, fitted by `seawall fit` to"]
    for sample in fitted.samples.by_length:
        span = f"{sample.times[0]:%Y-%m-%d} to {sample.times[-1]:%Y-%m-%d}"
        lines.append(f"  {', '.join(fitted.samples.markets)}, bars of {sample.seconds} s, {span}")
    inside = int(fitted.goodness["inside"].sum())
    met = f"{inside} of {len(fitted.goodness)} statistics"
    told = f"{met} lie inside the central 95 % of {fitted.replicas} replicas."
    estimates = [
        f"  {each.name}: {each.value:.4g} ± {each.error:.2g} {each.unit}".replace(" ± nan", "")
        for each in fitted.fit.estimates
    ]
    return [*lines, told, "Estimates and standard errors:", *estimates, *fitted.fit.notes]
