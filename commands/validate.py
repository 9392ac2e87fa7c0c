"""`seawall validate`: where real markets fall among replicas of a scenario."""

from pathlib import Path
from typing import Annotated

import typer

from commands.arguments import ScenarioArgument, SetOption, ready
from commands.exits import FAILED, show, working


def validate_command(
    scenario: ScenarioArgument,
    replicas: Annotated[int, typer.Option(min=20, help="Independent runs, with seeds from 1.")] = 200,
    overrides: SetOption = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; 0: this one. Default: all processors.")
    ] = None,
    at_least: Annotated[
        float, typer.Option(min=0, max=1, help="Exit with 1 if fewer statistics lie inside.")
    ] = 0.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. Default: runs/validate-NAME.")
    ] = None,
) -> None:
    """Ask whether a scenario's market looks like real ones.

    Runs replicas and says where each statistic of real returns, funding, basis, activity and liquidations
    falls among theirs. Example: seawall validate validation --replicas 200
    """
    from analysis.validation.page import score_table, verdict, write_validation
    from analysis.validation.validation import validate

    found, folder = ready(scenario, overrides or [], out, "validate-{name}")
    with working("validation", "replicas") as report:
        validation = validate(found, replicas, workers=workers, report=report)
        write_validation(validation, folder)
    show([score_table(validation)], verdict(validation), folder, validation.failures)
    if validation.failures or validation.share_inside < at_least:
        raise typer.Exit(FAILED)
