"""Figures of fairness on a run worked by hand."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from ties import accounts, deleverages, run, waterfall

from analysis.fairness_figures import FAIRNESS_FIGURES, exposures, haircut_histogram, who_bore
from analysis.figures import OTHERS


def drawn(made) -> dict[str, str]:
    return {name: figure(made).to_json() for name, (figure, _) in FAIRNESS_FIGURES.items()}


def records(figure, layer: int) -> pd.DataFrame:
    """Data of a layer."""
    spec = figure.to_dict()
    text = spec["datasets"][spec["layer"][layer]["data"]["name"]]
    rows = [line.split(",") for line in text.splitlines()]
    return pd.DataFrame(rows[1:], columns=rows[0])


def test_every_figure_has_a_title_and_the_same_bytes_each_time() -> None:
    first, second = drawn(run()), drawn(run())

    assert first == second
    assert all(json.loads(text)["title"]["text"] for text in first.values())
    assert not any("NaN" in text for text in first.values())


def test_each_is_drawn_only_where_its_table_is() -> None:
    assert {table for _, table in FAIRNESS_FIGURES.values()} == {"accounts", "positions"}
    assert FAIRNESS_FIGURES.items() <= OTHERS.items()


def test_bars_stand_where_the_last_one_ends_and_reach_the_whole() -> None:
    figure = who_bore(run())
    spec = figure.to_dict()
    names = (
        {layer["data"]["name"] for layer in spec["layer"]} if "data" not in spec else {spec["data"]["name"]}
    )
    rows = [line.split(",") for line in spec["datasets"][names.pop()].splitlines()]
    bars = pd.DataFrame(rows[1:], columns=rows[0])
    base, top = bars["base"].astype(float), bars["top"].astype(float)

    assert base[1:].tolist() == top[:-1].tolist()
    assert top.iloc[-1] == 175.0
    assert " ".join(figure.title.text).replace("\N{NO-BREAK SPACE}", " ") == (
        "Failed accounts lost $175; 63 % of it was their own"
    )


def test_where_nothing_happened_a_sentence_says_so() -> None:
    lucky = accounts().assign(liquidated=False, pnl=0.0, owed=0.0)
    calm = run(accounts=lucky, waterfall=waterfall()[:0], deleverages=deleverages()[:0])
    titles = {name: figure(calm).title.text[0] for name, (figure, _) in FAIRNESS_FIGURES.items()}

    assert titles["who_bore"] == "Nobody failed"
    assert titles["decile_losses"] == "No losses"
    assert titles["haircuts"] == "No haircuts"


def test_one_haircut_for_all_is_one_bar() -> None:
    rows = deleverages().assign(price=80.8, mark=80.0, size=-1.0, haircut_usd=0.8)

    assert haircut_histogram(run(deleverages=rows)).to_dict()["title"]["text"] == [
        "2 winners gave up $2.40 to deleveraging"
    ]


def test_every_exposure_but_those_to_oneself_is_a_line() -> None:
    assert len(records(exposures(run()), 0)) == 7
    assert len(records(exposures(run()), 1)) == 7


def test_a_run_without_positions_has_no_network() -> None:
    with pytest.raises(ValueError, match="needs the table positions"):
        exposures(replace(run(), more={"accounts": accounts()}))
