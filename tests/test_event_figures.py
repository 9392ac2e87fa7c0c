"""Figures of events: by hand from made-up hours, and the real ones again from the files they came from."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.backtest.course import COLUMNS, course_of, hourly_course, numbers
from analysis.backtest.events import Event, read_events
from analysis.backtest.figures import FIGURES
from analysis.backtest.real_course import real_course
from sim.problems import ScenarioError

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
DAILY = "btc_daily_price_funding_feargreed_2015_2022-09.csv.gz"
HOURS = pd.date_range("2020-03-12 01:00", periods=6, freq="1h", tz="UTC")


def course() -> pd.DataFrame:
    """Six hours: a fall from 100 over 70 to 80, in the course of which open interest shrinks."""
    return pd.DataFrame(
        {
            "price": [100.0, 90.0, 70.0, 80.0, 80.0, 90.0],
            "high": [100.0, 101.0, 90.0, 82.0, 81.0, 91.0],
            "low": [99.0, 89.0, 60.6, 70.0, 79.0, 80.0],
            "open_interest": [50.0, 48.0, 40.0, 40.0, 45.0, 44.0],
            "open_interest_usd": [5000.0, 4320.0, 2800.0, 3200.0, 3600.0, 3960.0],
            "longs_usd": [900.0, 100.0, 500.0, 0.0, 0.0, 900.0],
            "shorts_usd": [900.0, 0.0, 0.0, 200.0, 0.0, 900.0],
            "deleveraged_usd": [50.0, 0.0, 100.0, 0.0, 0.0, 50.0],
            "forced_usd": [1800.0, 150.0, 750.0, 300.0, 0.0, 1800.0],
            "cover_usd": [99.0, 0.0, 24.0, 0.0, 0.0, 99.0],
            "basis": [-900.0, 1.0, -25.0, -4.0, 0.0, -900.0],
            "funding": [-9.0, 2.0, -4.0, -3.0, 1.0, -9.0],
        },
        index=HOURS,
    )


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ("drawdown", 1 - 60.6 / 101),
        ("open_interest_usd", -0.28),
        ("open_interest_coin", -0.10),
        ("coin_over_usd", 0.10 / 0.28),
        ("liquidated_share", 900 / 5000),
        ("forced_over_lost", 900 / 1400),
        ("longs_share", 600 / 800),
        ("cover_share", 24 / 1200),
        ("basis_low", -25.0),
        ("funding_low", -1.0),
    ],
)
def test_a_figure_looks_at_the_hours_between_two_moments(figure: str, expected: float) -> None:
    found = FIGURES[figure].value(course(), HOURS[0], HOURS[4])

    assert found == pytest.approx(expected)


def test_every_figure_is_worked_by_hand() -> None:
    marks = test_a_figure_looks_at_the_hours_between_two_moments.pytestmark  # type: ignore[attr-defined]

    assert [figure for figure, _ in marks[0].args[1]] == list(FIGURES)


def test_a_share_of_nothing_is_no_number() -> None:
    quiet = course().assign(longs_usd=0.0, shorts_usd=0.0, forced_usd=0.0, open_interest_usd=1.0)
    names = ("coin_over_usd", "forced_over_lost", "longs_share", "cover_share")

    assert all(np.isnan(FIGURES[name].value(quiet, HOURS[0], HOURS[4])) for name in names)


def test_the_lowest_funding_is_that_of_a_day() -> None:
    hours = pd.date_range("2020-03-12 01:00", periods=48, freq="1h", tz="UTC")
    two_days = pd.DataFrame({"funding": [0.0] * 23 + [-24.0, -12.0] + [0.0] * 23}, index=hours)
    found = FIGURES["funding_low"].value(two_days, pd.Timestamp("2020-03-12", tz="UTC"), hours[-1])

    assert found == pytest.approx(-1.0)


def tables() -> dict[str, pd.DataFrame]:
    """Two hours of two markets in blocks of half an hour."""
    times = pd.date_range("2020-03-12 00:30", periods=4, freq="30min", tz="UTC")
    btc = pd.DataFrame(
        {
            "time": times,
            "market": "BTC",
            "outside": [100.0, 90.0, 80.0, 95.0],
            "mark": 100.0,
            "bid": [99.0, 89.0, 79.0, 94.9],
            "ask": [101.0, 91.0, 81.0, 95.5],
            "open_interest": [5.0, 4.0, 3.0, 2.0],
            "open_interest_usd": [500.0, 360.0, 240.0, 190.0],
            "long_liquidated_usd": [0.0, 7.0, 8.0, 9.0],
            "short_liquidated_usd": [1.0, 0.0, 0.0, 2.0],
            "deleveraged_usd": [0.0, 0.0, 3.0, 0.0],
            "funding_rate": [1e-4, 3e-4, -1e-4, -5e-4],
        }
    )
    eth = btc.assign(market="ETH", outside=10.0, long_liquidated_usd=100.0, short_liquidated_usd=0.0)
    paid = pd.DataFrame(
        {
            "time": times[[1, 2, 2]],
            "stage": ["insurance_fund", "backstop_vault", "uncovered"],
            "amount_usd": [4.0, 5.0, 1e9],
        }
    )
    return {"markets": pd.concat([btc, eth]), "waterfall": paid}


def test_a_run_is_reduced_to_hours_named_by_their_end() -> None:
    found = hourly_course(tables(), "BTC")

    assert found.index.tolist() == HOURS[:2].tolist()
    assert tuple(found) == COLUMNS
    assert found["price"].tolist() == [90.0, 95.0]
    assert found[["high", "low"]].to_numpy().tolist() == [[100.0, 90.0], [95.0, 80.0]]
    assert found["open_interest"].tolist() == [4.0, 2.0]
    assert found["open_interest_usd"].tolist() == [360.0, 190.0]
    assert found[["longs_usd", "shorts_usd"]].to_numpy().tolist() == [[7.0, 1.0], [17.0, 2.0]]
    assert found["deleveraged_usd"].tolist() == [0.0, 3.0]
    assert found["forced_usd"].tolist() == [208.0, 225.0]
    assert found["cover_usd"].tolist() == [4.0, 5.0]
    assert found["basis"].tolist() == pytest.approx([0.0, 1e4 * 0.2 / 95])
    assert found["funding"].tolist() == pytest.approx([2.0, -3.0])


def test_a_course_survives_the_way_through_a_result() -> None:
    whole = course().assign(basis=np.nan)
    again = course_of({name: None if np.isnan(value) else value for name, value in numbers(whole).items()})

    pd.testing.assert_frame_equal(again, whole, check_freq=False, check_index_type=False)


EVENT = """
events:
  - name: fall
    title: A fall
    start: 2020-03-10T00:00:00Z
    before: 2020-03-11T00:00:00Z
    after: 2020-03-12T00:00:00Z
    end: 2020-03-12T00:00:00Z
    market: BTC
    candles: {BTC: btc.csv}
    figures:
      - {figure: drawdown, real: 0.5, source: here}
"""


def refused(folder: Path, old: str, new: str) -> str:
    """What is said of the event with one thing changed."""
    file = folder / "events.yaml"
    assert old in EVENT
    file.write_text(EVENT.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        read_events(file)
    return str(caught.value).replace(f"{folder}/", "")


def test_an_event_is_read_with_the_spans_of_its_figures(tmp_path: Path) -> None:
    (tmp_path / "events.yaml").write_text(EVENT)
    (event,) = read_events(tmp_path / "events.yaml")

    assert event.span(event.figures[0]) == (
        datetime(2020, 3, 11, tzinfo=UTC),
        datetime(2020, 3, 12, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("drawdown", "drawdwn", "events.yaml:12  events.0.figures.0.figure: no such figure; did you mean"),
        (", source: here", "", "events.yaml:12  events.0.figures.0: a real figure needs a source"),
        ("market: BTC", "market: ETH", "candles of the market 'ETH' must be given"),
        ("before: 2020-03-11T00", "before: 2020-03-13T00", "spans must lie inside the run"),
        ("before: 2020-03-11T00", "before: 2020-03-10T00", "spans must lie inside the run"),
        ("before: 2020-03-11T00:00", "before: 2020-03-11T00:30", "whole hours"),
        ("title: A fall", "", "events.0.title: must be given"),
        ("events:", "event:", "unknown key; did you mean events?"),
    ],
)
def test_what_is_wrong_with_an_event_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert told in refused(tmp_path, old, new)


def test_events_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = EVENT + EVENT.replace("events:", "")

    assert "events must have different names, got 'fall'" in refused(tmp_path, EVENT, twice)


def test_every_bundled_event_asks_for_every_figure() -> None:
    for event in read_events():
        assert {wanted.figure for wanted in event.figures} == set(FIGURES), event.name


def real(event: Event) -> pd.DataFrame:
    files = [*event.candles.values(), event.perpetual, event.open_interest, DAILY]
    missing = [name for name in files if not (DATA / name).is_file()]
    if missing:
        pytest.skip(f"real data are not here: {', '.join(missing)}")
    funding = pd.read_csv(DATA / DAILY).set_index("date")["funding_mean"]
    hours = real_course(event, DATA)
    days = (hours.index - pd.Timedelta("1h")).strftime("%Y-%m-%d")
    return hours.assign(funding=1e4 * funding.reindex(days).to_numpy())


@pytest.mark.parametrize("event", read_events(), ids=lambda event: event.name)
def test_real_figures_are_what_the_files_say(event: Event) -> None:
    hours = real(event)
    computed = [wanted for wanted in event.figures if "computed" in wanted.source]
    found = {
        wanted: FIGURES[wanted.figure].value(hours, *map(pd.Timestamp, event.span(wanted)))
        for wanted in computed
    }

    assert len(computed) >= 6
    assert {wanted: wanted.real for wanted in computed} == {
        wanted: pytest.approx(value, rel=6e-3) for wanted, value in found.items()
    }
