"""`seawall speed`: what a day of governance delay is worth, from a sweep over delays and widths."""

from pathlib import Path
from typing import Annotated

import typer

from commands.arguments import folder_complaints
from commands.exits import refuse, refusing, show


def speed_command(
    sweep: Annotated[str, typer.Argument(metavar="STORE", help="Folder or URL of a finished sweep.")],
    metric: Annotated[str, typer.Option(help="The loss that is looked at.")] = "bad_debt_gross_usd",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. Default: runs/speed-NAME.")
    ] = None,
) -> None:
    """Say what speed is worth: losses avoided by delay and largest change, and the cost of a day of delay.

    The sweep has one point without updates, one with hindsight, and others that differ in their delay and in
    the largest change. Example: seawall sweep value_of_speed --out runs/slow && seawall speed runs/slow
    """
    from analysis.speed import answer, speed, speed_tables
    from analysis.speed_figure import write_speed
    from sim.sweeps.results import load_sweep

    with refusing():
        results = load_sweep(sweep)
        found = speed(results, metric)
    folder = out or Path("runs") / f"speed-{results.manifest['name']}"
    if complaints := folder_complaints(folder):
        refuse(complaints)
    write_speed(found, folder)
    show(speed_tables(found), "\n".join(answer(found)), folder, [])
