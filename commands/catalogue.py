"""`seawall check`, `scenarios`, `presets`, `metrics` and `schema`: what can be run, and what would be."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from commands.arguments import ScenarioArgument, SetOption, loaded
from commands.exits import refuse, refusing

if TYPE_CHECKING:
    from sim.configuration import Scenario


def check_command(scenario: ScenarioArgument, overrides: SetOption = None) -> None:
    """Say what a scenario would run, or everything that is wrong with it."""
    from sim.prices.paths import coarse_candles

    found = loaded(scenario, overrides or [])
    _describe(found)
    for warning in coarse_candles(found.world.prices, found.clock, found.markets):
        typer.echo(f"warning: {warning}", err=True)
    typer.echo("ok")


def scenarios_command() -> None:
    """List the bundled scenarios."""
    from rich.console import Console
    from rich.table import Table

    from sim.bundled import bundled, names
    from sim.layers import read_layer

    table = Table("scenario", "what it is", box=None)
    for name in names("scenario"):
        file = bundled("scenario", name)
        layer = read_layer(file)[0] if file else None
        table.add_row(name, str(layer.data.get("description", "")) if layer else "")
    Console().print(table)


def presets_command(
    name: Annotated[str | None, typer.Argument(metavar="[PRESET]", help="Explain this one.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Defaults that it leaves alone too.")] = False,
) -> None:
    """List venues and forms of governance, or explain one: every number with its source.

    Choose with protocol.preset and governance.preset in a scenario file, or --set protocol.preset=gmx_v2.
    """
    from rich.console import Console

    from analysis.preset_tables import governance_table, preset_table, presets_table

    with refusing():
        tables = [preset_table(name, everything)] if name else [presets_table(), "", governance_table()]
    Console().print(*tables, sep="\n")


def metrics_command(
    word: Annotated[str, typer.Argument(metavar="[WORD]", help="Only what speaks of this.")] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="As the page docs/metrics.md.")] = False,
) -> None:
    """Define every metric: its key, unit, meaning and source, in the order in which runs print them.

    After those of a run come those of cascades, critical shocks, tails and comparisons. Example:
    seawall metrics debt
    """
    from rich.console import Console

    from analysis.metric_reference import reference_markdown, reference_tables

    if markdown and word:
        refuse(["--markdown  writes the whole page; give it or a word, not both"])
    if markdown:
        typer.echo(reference_markdown(), nl=False)
        return
    tables = reference_tables(word)
    if not tables:
        refuse([f"{word}  no metric speaks of that"])
    Console().print(*tables, sep="\n")


def schema_command() -> None:
    """Print the JSON schema of scenario files, for editors."""
    from sim.schema import scenario_schema

    typer.echo(json.dumps(scenario_schema(), indent=2))


def _describe(scenario: "Scenario") -> None:
    clock = scenario.clock
    accounts = scenario.agents.counts()
    typer.echo(f"scenario  {scenario.name}: {scenario.description}")
    typer.echo(f"span      {clock.start:%Y-%m-%d %H:%M} UTC, {clock.duration / 3600:g} h")
    typer.echo(f"blocks    {clock.blocks} of {clock.block} s")
    typer.echo(f"markets   {', '.join(scenario.markets)}")
    typer.echo(f"accounts  {sum(accounts.values())}: " + ", ".join(f"{n} {k}" for k, n in accounts.items()))
    typer.echo(f"reading   {scenario.world.reading}, share of the market {scenario.world.share:g}")
