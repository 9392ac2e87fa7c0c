"""`seawall attacks`: what attacks bring where a hole is open, and under each guard."""

from pathlib import Path
from typing import Annotated

import typer

from commands.arguments import folder_complaints
from commands.exits import FAILED, refuse, refusing, show, working


def attacks_command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAMES]", help="Attacks of the catalogue. Default: all.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Worlds for each attack and guard, from 1.")] = 16,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; 0: this one. Default: all processors.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results. Default: runs/attacks.")] = None,
) -> None:
    """Run attacks with their hole open and under each guard, on the same seeds.

    Prints how often each succeeds, what it costs and brings, what the protocol loses, and who noticed when.
    Example: seawall attacks flash_loan bribery --seeds 8
    """
    from analysis.attacks.catalogue import chosen, load_catalogue
    from analysis.attacks.page import attack_tables, verdicts, write_attacks
    from analysis.attacks.trials import trials

    with refusing():
        cases = chosen(load_catalogue(), names or [])
    folder = out or Path("runs") / "attacks"
    if complaints := folder_complaints(folder):
        refuse(complaints)
    with refusing(), working("trials", "runs") as report:
        found = trials(cases, range(1, seeds + 1), workers, report)
        write_attacks(found, folder)
    show(attack_tables(found), "\n".join(verdicts(found)), folder, found.failures)
    if found.failures:
        raise typer.Exit(FAILED)
