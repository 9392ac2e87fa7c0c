"""`seawall margins`: what margin policies ask for along given prices, at equal coverage."""

from pathlib import Path
from typing import Annotated

import typer

from commands.arguments import SetOption, folder_complaints
from commands.exits import FAILED, refuse, refusing, show, working


def margins_command(
    sweep: Annotated[
        str, typer.Argument(metavar="SWEEP", help="A sweep file or a bundled sweep whose axis is a policy.")
    ],
    worlds: Annotated[int, typer.Option(min=2, help="Price paths, with seeds from 1.")] = 12,
    coverage: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Share of moves that every margin is scaled to cover.")
    ] = 0.995,
    overrides: SetOption = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; 0: this one. Default: all processors.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. Default: runs/margins-NAME.")
    ] = None,
) -> None:
    """Compare margin policies on prices that they cannot move.

    No venue is run: each policy's model and control law follow the same generated prices, and every margin is
    scaled to cover as many moves. Example: seawall margins margin_policies --worlds 12
    """
    from analysis.margins.study import margin_table, margins, verdict, write_margins
    from sim.sweeps.study import load_study

    with refusing():
        study = load_study(sweep, overrides or [])
    folder = out or Path("runs") / f"margins-{study.name}"
    if complaints := folder_complaints(folder):
        refuse(complaints)
    if len(study.axes) != 1:
        refuse([f"{sweep}  axes: margins are compared along one axis, got {', '.join(study.axes)}"])
    with working("comparison", "worlds") as report:
        found = margins(study, range(1, worlds + 1), coverage, workers, report)
        write_margins(found, folder)
    show([margin_table(found)], verdict(found), folder, found.failures)
    if found.failures:
        raise typer.Exit(FAILED)
