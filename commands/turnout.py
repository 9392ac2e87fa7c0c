"""`seawall turnout`: whether simulated electorates vote like those of a real venue."""

from pathlib import Path
from typing import Annotated

import typer

from commands.arguments import folder_complaints
from commands.exits import FAILED, refuse, show, working


def turnout_command(
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="compound or uniswap.")] = "compound",
    electorates: Annotated[int, typer.Option(min=20, help="Independent ones, with seeds from 1.")] = 100,
    at_least: Annotated[
        float, typer.Option(min=0, max=1, help="Exit with 1 if a smaller share of facts lies inside.")
    ] = 0.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. Default: runs/turnout-VENUE.")
    ] = None,
) -> None:
    """Ask whether token holders vote like real ones.

    Puts as many routine proposals as a real governor had to the vote of simulated electorates, and says where
    the real turnout, concentration, outcomes and delays fall among theirs. Example: seawall turnout uniswap
    """
    from analysis.turnout.page import turnout_table, turnout_verdict, write_turnout
    from analysis.turnout.turnout import turnout
    from analysis.turnout.venues import venues

    known = venues()
    if venue not in known:
        refuse([f"VENUE must be one of {', '.join(known)}, got {venue}"])
    folder = out or Path("runs") / f"turnout-{venue}"
    if complaints := folder_complaints(folder):
        refuse(complaints)
    with working("comparison", "electorates") as report:
        found = turnout(known[venue], electorates, report)
        write_turnout(found, folder)
    show([turnout_table(found)], turnout_verdict(found), folder, found.failures)
    if found.share_inside < at_least:
        raise typer.Exit(FAILED)
