"""The presets in tables: what a reader of the terminal sees."""

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from analysis.preset_tables import governance_table, preset_table, presets_table
from sim.presets import governance_names, preset_names, preset_parameters


def printed(table: Table, width: int = 220) -> list[str]:
    """Lines of a table on a wide terminal."""
    console = Console(file=StringIO(), width=width)
    console.print(table)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_the_list_has_a_line_for_each_preset_with_its_counts() -> None:
    lines = printed(presets_table())
    given = preset_parameters("gmx_v2").query("given")
    row = next(line for line in lines if "gmx_v2" in line)

    assert [line.split()[0] for line in lines[1:]] == preset_names()
    assert row.split()[-2:] == [str(len(given)), str((given["evidence"] == "assumed").sum())]


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_prints_every_number_that_it_gives(preset: str) -> None:
    lines = printed(preset_table(preset))
    given = preset_parameters(preset).query("given")

    assert lines[0].startswith(f"{preset}: ")
    assert sum(len(line) - len(line.lstrip()) == 3 for line in lines) == len(given)
    assert not any("default, " in line for line in lines)


def test_with_everything_defaults_are_told_apart() -> None:
    lines, rows = printed(preset_table("drift", everything=True)), preset_parameters("drift")
    told = sum("default, " in line for line in lines)

    assert told == (~rows["given"]).sum()


@pytest.mark.parametrize(
    ("name", "value"),
    [("open_interest_slope", "6e-11"), ("liquidity", "60,000,000"), ("isolated", "yes"), ("quotes", "no")],
)
def test_numbers_keep_their_digits_and_truths_are_words(name: str, value: str) -> None:
    assert any(line.split()[:2] == [name, value] for line in printed(preset_table("gmx_v2")))


def test_a_long_source_is_folded_and_never_cut() -> None:
    source = max(preset_parameters("synthetix_v3").query("given")["source"], key=len)
    narrow = "".join("".join(line.split()) for line in printed(preset_table("synthetix_v3"), width=100))

    assert source.split()[-1] in narrow


def test_forms_of_governance_have_a_list_of_their_own_and_a_page_each() -> None:
    lines, page = printed(governance_table()), printed(preset_table("compound"))

    assert [line.split()[0] for line in lines[1:]] == governance_names()
    assert any(line.split()[:2] == ["quorum", "400,000"] for line in page)
    assert any("CompoundGovernorConstants.sol" in line for line in page)
