"""Figures for notebooks."""

import altair as alt
import pytest
from run_folder import DRAWN, write_run_folder
from sweep_results import sweep_results

import seawall


def test_a_notebook_gets_the_figures_of_the_report_by_name(tmp_path) -> None:
    folder = write_run_folder(tmp_path / "run", names=("BTC",), blocks=60)
    by_folder, by_run = seawall.figures(folder), seawall.figures(seawall.load(folder))

    assert set(by_folder) == set(DRAWN)
    assert isinstance(by_folder["prices"], alt.VConcatChart)
    assert by_folder["prices"].to_json() == by_run["prices"].to_json()


def test_a_comparison_has_its_figure() -> None:
    found = seawall.compare(sweep_results(), "policy", metrics=["bad_debt_gross_usd"], resamples=200)

    assert list(seawall.figures(found)) == ["comparison"]


def test_a_folder_without_a_run_is_refused(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"manifest\.json"):
        seawall.figures(tmp_path)
