"""`seawall fit`: a generator of prices calibrated to candles."""

from pathlib import Path
from typing import Annotated

import typer

from commands.exits import refuse, refusing


def fit_command(
    candles: Annotated[list[str], typer.Argument(metavar="CANDLES…", help="CSV or Parquet, or NAME=FILE.")],
    out: Annotated[Path, typer.Option(help="Scenario file to write; table and figure beside it.")],
    model: Annotated[str, typer.Option(help="regimes, garch, heston, jumps or bootstrap.")] = "regimes",
    replicas: Annotated[int, typer.Option(min=20, help="Simulated paths to hold against the data.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulations.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the files only.")] = False,
) -> None:
    """Calibrate a generator of prices to candles of several markets, and say how well it fits.

    Nothing is overwritten. Example:
    seawall fit btc_1h.csv eth_1h.csv --model garch --out fitted.yaml; seawall run fitted.yaml
    """
    from analysis.fitting.fit import fit_prices, outputs, write_fit
    from analysis.fitting.tables import print_fit
    from analysis.terminal import phase_bar

    taken = [str(file) for file in outputs(out) if file.exists()]
    if out.suffix != ".yaml" or taken:
        refuse([f"--out {out}  must end in .yaml and be new; nothing is overwritten: {', '.join(taken)}"])
    with refusing():
        with phase_bar(quiet) as report:
            fitted = fit_prices(candles, model, replicas, seed, report)
        written = write_fit(fitted, out)
    print_fit(fitted, written, quiet)
