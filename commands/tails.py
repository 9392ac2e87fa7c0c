"""`seawall tails`: how bad the bad runs of a sweep are, and what safety costs in capital efficiency."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from commands.arguments import folder_complaints
from commands.exits import refuse, refusing, show


def tails_command(
    sweep: Annotated[str, typer.Argument(metavar="STORE", help="Folder or URL of a sweep.")],
    metric: Annotated[
        str, typer.Option(help="The loss of which VaR and ES are taken.")
    ] = "bad_debt_gross_usd",
    level: Annotated[
        list[float] | None,
        typer.Option(help="Level of VaR and ES, as in 0.95. Repeatable; the first is that of the frontier."),
    ] = None,
    against: Annotated[
        str, typer.Option(metavar="METRIC", help="Efficiency on the frontier. Default: system_leverage.")
    ] = "",
    better: Annotated[
        Literal["higher", "lower"] | None,
        typer.Option(help="Which way that metric is better. Default: as the metric says."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. Default: runs/tails-NAME.")
    ] = None,
) -> None:
    """Show the tail of each point of a sweep: VaR, ES, LaR, need of the fund, insolvency, extreme values.

    Beside them a frontier of ES and capital efficiency, with the points that are dominated. Every number has
    an interval, and a warning where seeds are too few. Example: seawall tails runs/margins --level 0.99
    """
    from analysis.tail_tables import tails, tails_answer, tails_tables, write_tails
    from sim.sweeps.results import load_sweep

    with refusing():
        results = load_sweep(sweep)
        found = tails(results, metric, level or (0.95, 0.99), against, better or "")
    folder = out or Path("runs") / f"tails-{results.manifest['name']}"
    if complaints := folder_complaints(folder):
        refuse(complaints)
    write_tails(found, folder)
    show(tails_tables(found), "\n".join(tails_answer(found)), folder, [])
