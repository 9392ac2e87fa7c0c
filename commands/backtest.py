"""`seawall backtest`: one population in real events, and how far it is from what happened."""

from pathlib import Path
from typing import Annotated

import typer

from commands.arguments import ScenarioArgument, SetOption, ready
from commands.exits import FAILED, refusing, show, working


def backtest_command(
    scenario: ScenarioArgument,
    data: Annotated[Path, typer.Option(help="Folder of the candle files that the events name.")],
    events: Annotated[
        Path | None, typer.Option(help="File of events. Default: March 2020, May 2021, the LUNA week.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each event, with seeds from 1.")] = 8,
    overrides: SetOption = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; 0: this one. Default: all processors.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. Default: runs/backtest-NAME.")
    ] = None,
) -> None:
    """Send one population through real events, and say how far it is from what happened.

    Only prices and dates differ between events. Example:
    seawall backtest validation --data candles --seeds 8
    """
    from analysis.backtest.backtest import backtest, plan_backtest
    from analysis.backtest.events import FILE
    from analysis.backtest.page import error_tables, verdict, write_backtest

    _, folder = ready(scenario, overrides or [], out, "backtest-{name}")
    with refusing():
        plan = plan_backtest(scenario, data, overrides or [], events or FILE)
    with working("backtest", "replays") as report:
        found = backtest(plan, seeds, workers=workers, report=report)
        write_backtest(found, folder)
    show(error_tables(found), verdict(found), folder, found.failures)
    if found.failures:
        raise typer.Exit(FAILED)
