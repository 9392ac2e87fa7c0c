"""`seawall critical`: the smallest fall of prices at which a venue breaks, and what protection buys."""

from pathlib import Path
from typing import Annotated

import typer

from commands.arguments import ScenarioArgument, SetOption, ready
from commands.exits import FAILED, refuse, refusing, show, working


def critical_command(
    scenario: ScenarioArgument,
    overrides: SetOption = None,
    at: Annotated[str, typer.Option(help="When prices jump, since the start.")] = "1h",
    market: Annotated[
        list[str] | None, typer.Option(help="Market whose price jumps. Repeatable. Default: all.")
    ] = None,
    share: Annotated[
        float, typer.Option(min=0.0001, max=1, help="Bad debt over open interest that counts as broken.")
    ] = 0.01,
    seeds: Annotated[int, typer.Option(min=1, help="Worlds, from 1.")] = 8,
    protection: Annotated[
        bool, typer.Option("--protection/--no-protection", help="Try more insurance, depth and margin too.")
    ] = True,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; 0: this one. Default: all processors.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. Default: runs/critical-NAME.")
    ] = None,
) -> None:
    """Find the smallest sudden fall of prices whose bad debt exceeds a share of open interest.

    Example: seawall critical base --set clock.duration=4h --set agents.retail.accounts=1000
    """
    from agents.settings import parse_duration
    from analysis.critical import AS_IT_IS, Probe, critical, variants
    from analysis.critical_page import critical_tables, sentences, write_critical

    loaded, folder = ready(scenario, overrides or [], out, "critical-{name}")
    try:
        seconds = float(str(parse_duration(at)))
    except ValueError as error:
        refuse([f"--at {at}  {error}"])
    complaints = [f"--market {name}  no such market" for name in market or [] if name not in loaded.markets]
    if not 0 <= seconds < loaded.clock.duration:
        complaints.append(f"--at {at}  at must lie within clock.duration={loaded.clock.duration}s")
    if complaints:
        refuse(complaints)
    probe = Probe(seconds, tuple(market or ()), share)
    with refusing(), working("search", "worlds") as report:
        tried = variants(loaded) if protection else {AS_IT_IS: loaded}
        found = critical(tried, probe, range(1, seeds + 1), workers, report)
        write_critical(found, folder)
    show(critical_tables(found), "\n".join(sentences(found)), folder, found.failures)
    if found.failures:
        raise typer.Exit(FAILED)
