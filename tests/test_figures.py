import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_folder import write_run_folder

from analysis.cascade_figures import CASCADE_FIGURES
from analysis.figures import ALL_FIGURES, FIGURES, THEMES, draw, write_images
from analysis.narrative import STAGES, headline, move, paid_by_stage, verdict, waterfall_finding
from analysis.style import extremes
from analysis.tables import Run, load_run
from analysis.venue_figures import bin_seconds

RUNS = {
    "crash": {},
    "calm": {"fall": 0.0},
    "one": {"names": ("BTC",), "blocks": 30},
    "six": {"names": ("BTC", "ETH", "SOL", "AVAX", "LINK", "DOGE"), "blocks": 2880},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")
    return {name: load_run(write_run_folder(folder / name, **options)) for name, options in RUNS.items()}


def _titles(run: Run) -> dict[str, str]:
    return {
        name: " ".join(figure.title.text).replace("\N{NO-BREAK SPACE}", " ")
        for name, figure in draw(run).items()
    }


@pytest.mark.parametrize("name", RUNS)
def test_every_figure_is_drawn_with_a_title_and_the_same_bytes_each_time(runs, name) -> None:
    first = {name: figure.to_json() for name, figure in draw(runs[name]).items()}
    second = {name: figure.to_json() for name, figure in draw(runs[name]).items()}

    fell = len(runs[name].more["failures"]) > 0
    assert list(first) == [*FIGURES, *(CASCADE_FIGURES if fell else ())]
    assert first == second
    assert all(json.loads(text)["title"]["text"] for text in first.values())
    assert not any("NaN" in text for text in first.values())


def test_titles_say_what_happened(runs) -> None:
    titles = _titles(runs["crash"])

    assert titles["prices"] == "BTC fell 50.2 % outside and 50.2 % on the venue"
    assert titles["liquidations"].startswith("$38.2M liquidated, 95 % of it longs")
    assert (
        titles["funds"]
        == "The insurance fund shrank from $500K to $329K; the vault shrank from $5.00M to $4.67M"
    )


def test_a_run_in_which_nothing_had_to_be_paid_says_so(runs) -> None:
    titles = _titles(runs["calm"])

    assert titles["waterfall"] == "Nothing had to be paid: no account left a shortfall"
    assert titles["liquidations"] == "No liquidations"
    assert titles["liquidatable"] == "No backlog"


def test_who_paid_adds_up_to_the_gross_bad_debt(runs) -> None:
    paid = paid_by_stage(runs["crash"])

    assert paid["amount_usd"].sum() == pytest.approx(runs["crash"].summary["bad_debt_gross_usd"])
    assert paid["share"].sum() == pytest.approx(1.0)
    assert "auto-deleveraged counterparties" in waterfall_finding(runs["crash"])


def test_bars_of_liquidations_hold_the_whole_notional(runs) -> None:
    spec = FIGURES["liquidations"](runs["crash"]).to_dict()
    rows = [line.split(",") for line in spec["datasets"][spec["data"]["name"]].splitlines()]
    bars = pd.DataFrame(rows[1:], columns=rows[0])
    longs = bars.loc[bars["line"] == "longs liquidated", "value"].astype(float).sum()

    assert longs == pytest.approx(runs["crash"].markets["long_liquidated_usd"].sum(), rel=1e-5)


def test_bins_are_round_and_few(runs) -> None:
    assert [bin_seconds(runs[name]) for name in ("one", "crash", "six")] == [60, 300, 600]


def test_a_run_without_vault_shows_no_vault(runs) -> None:
    run = runs["crash"]
    bare = Run(**{**run.__dict__, "blocks": run.blocks.assign(vault_equity=0.0)})

    assert len(FIGURES["funds"](bare).to_dict()["vconcat"]) == 1


@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=400),
    st.integers(4, 60),
)
@settings(max_examples=60, deadline=None)
def test_a_thinned_line_keeps_its_ends_its_low_and_its_high(values, points) -> None:
    line = np.array(values)
    kept = extremes(line, points)

    assert kept[0] == 0
    assert kept[-1] == len(line) - 1
    assert (np.diff(kept) > 0).all()
    assert len(kept) <= max(points, 1) + 4
    if not np.isnan(line).all():
        assert np.nanmin(line[kept]) == np.nanmin(line)
        assert np.nanmax(line[kept]) == np.nanmax(line)


@pytest.mark.parametrize(
    ("prices", "largest"), [([100, 50, 80], -0.5), ([100, 90, 180], 1.0), ([5, 5], 0.0), ([], 0.0)]
)
def test_the_largest_move_is_a_fall_or_a_rise(prices, largest) -> None:
    assert move(pd.Series(prices, dtype=float)) == pytest.approx(largest)


def test_the_story_of_a_crash_and_of_a_calm_run(runs) -> None:
    crash = " ".join(headline(runs["crash"])).replace("\N{NO-BREAK SPACE}", " ")
    calm = " ".join(headline(runs["calm"]))

    assert "Of 935 accounts, 60 were liquidated for $38.2M" in crash
    assert "The insurance fund bore $171K" in crash
    assert "$163K stayed uncovered" in crash
    assert "No account was liquidated." in calm
    assert "No bad debt arose" in calm


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ({}, "The venue held: no account left a debt for others to pay."),
        ({"insurance_fund": 2e6}, "The venue held: its own means bore the $2.00M of bad debt."),
        ({"insurance_fund": 1e6, "backstop_vault": 1e6}, "its own means bore the $2.00M"),
        (
            {"insurance_fund": 1e6, "auto_deleveraging": 5e5, "liquidity_pool": 5e5},
            "were not enough: of $2.00M of bad debt, $1.00M fell on liquidity providers and auto-deleveraged",
        ),
        ({"socialised_loss": 1e6}, "$1.00M fell on all accounts as socialised loss."),
        (
            {"insurance_fund": 1e6, "auto_deleveraging": 5e5, "uncovered": 5e5},
            "The venue did not hold: of $2.00M of bad debt, $500K stayed uncovered at the end.",
        ),
    ],
)
def test_the_verdict_follows_from_who_paid(runs, stages, words) -> None:
    run = runs["calm"]
    rows = [{"block": 0, "stage": stage, "amount_usd": usd} for stage, usd in stages.items()]
    paid = pd.DataFrame(rows, columns=["block", "stage", "amount_usd"])
    summary = {**run.summary, "bad_debt_gross_usd": paid["amount_usd"].sum()}

    assert words in verdict(Run(**{**run.__dict__, "waterfall": paid, "summary": summary}))
    assert set(stages) <= set(STAGES)


def test_every_figure_has_one_place_on_the_page() -> None:
    places = [name for _, names in THEMES.values() for name in names]

    assert sorted(places) == sorted(ALL_FIGURES)


def test_an_image_has_the_same_bytes_each_time(runs, tmp_path) -> None:
    figures = {"liquidatable": FIGURES["liquidatable"](runs["crash"])}
    first, second = (write_images(figures, tmp_path / name) for name in ("first", "second"))

    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_images_are_written_as_svg_and_png(runs, tmp_path) -> None:
    figures = {"waterfall": FIGURES["waterfall"](runs["crash"])}

    svg, png = write_images(figures, tmp_path / "figures")

    assert svg.read_text(encoding="utf-8").startswith("<svg")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert Path(svg).stem == Path(png).stem == "waterfall"
