"""`seawall branch`: the same world up to a moment, another policy from there on."""

from pathlib import Path
from typing import Annotated

import typer

from commands.arguments import SetOption, folder_complaints
from commands.exits import refuse, refusing, show


def branch_command(
    folder: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder that a run has written.")],
    at: Annotated[str, typer.Option(help="When it branches off, since the start, as in 23h or 1381m.")],
    overrides: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the branch. Default: RUN_DIR-branch.")] = None,
) -> None:
    """Run the same world again, with another policy from a moment on, and compare.

    Governance, the risk engine, later shocks, margins and the insurance fund may change. Example:
    seawall branch runs/black_thursday-seed7 --at 10h --set governance.guardian.pauses=[liquidations]
    --set "governance.agenda=[{at: 601m, pause: [liquidations], length: 1h}]"
    """
    from agents.settings import parse_duration
    from analysis.branches import branch_tables, branched, sentences, write_branch
    from sim.rerun import changes_of

    target = out or folder.with_name(f"{folder.name}-branch")
    try:
        seconds = float(str(parse_duration(at)))
    except ValueError as error:
        refuse([f"--at {at}  {error}"])
    if complaints := folder_complaints(target):
        refuse(complaints)
    with refusing():
        found = branched(folder, seconds, changes_of(overrides or []), target)
    write_branch(found, target)
    show(branch_tables(found), "\n".join(sentences(found)), target, [])
