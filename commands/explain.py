"""`seawall explain`: what happened in a run, and what caused it."""

from pathlib import Path
from typing import Annotated

import typer

from commands.arguments import folder_complaints
from commands.exits import FAILED, refuse, refusing, show, working


def explain_command(
    folder: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder that a run has written.")],
    seeds: Annotated[int, typer.Option(min=1, help="Worlds for the counterfactuals, the run's first.")] = 4,
    causes: Annotated[
        list[str] | None,
        typer.Option("--cause", help="impact, reaction, delay or fund. Repeatable. Default: all it has."),
    ] = None,
    accounts: Annotated[int, typer.Option(min=0, help="Accounts whose absence is tried out.")] = 5,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; 0: this one. Default: all processors.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. Default: RUN_DIR/explained.")
    ] = None,
) -> None:
    """Tell cascades apart, say who pushed whom, and run the same world without one cause after the other.

    With k causes a seed takes up to 2^k runs. Example: seawall explain runs/black_thursday-seed7 --seeds 2
    """
    from analysis.explanation import explain, explanation_tables, sentences, write_explanation

    target = out or folder / "explained"
    if complaints := folder_complaints(target):
        refuse(complaints)
    with refusing(), working("counterfactuals", "runs") as report:
        found = explain(folder, seeds, causes or [], accounts, workers, report)
        write_explanation(found, target)
    show(explanation_tables(found), "\n".join(sentences(found)), target, found.failures)
    if found.failures:
        raise typer.Exit(FAILED)
