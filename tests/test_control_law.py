"""The control law: stages in their order, each alone and together, and what it never does."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.engine.law import LAW_STAGES, Aim, BoxSettings, Governed, LawSettings, Verdict, decide

FREE = {"band_up": 0.0, "band_down": 0.0, "dwell": "0s", "rise": 1e6, "fall": 1e6}
HOURLY = (1e6, 3600.0)
HELD = Governed(0.05, 0.05)


def law(**settings: object) -> LawSettings:
    """A law that lets everything through, but for these settings."""
    return LawSettings.model_validate({**FREE, **settings})


def value(rules: LawSettings, now: float, cycle: float = 0.05, stressed: float = 0.1) -> float:
    """What a law makes of a target."""
    return decide(rules, HELD, Aim(now, cycle, stressed), HOURLY).value


def test_a_law_without_rules_follows_the_target() -> None:
    assert value(law(), 0.07) == pytest.approx(0.07)
    assert value(law(), 0.02) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("settings", "now", "expected"),
    [
        ({"dial": 0.0}, 0.08, 0.05),
        ({"dial": 0.5}, 0.08, 0.065),
        ({"dial": -0.5}, 0.08, 0.035),
        ({"floor": 1.0}, 0.03, 0.05),
        ({"floor": 0.8}, 0.03, 0.04),
        ({"stressed": 0.25}, 0.04, 0.055),
        ({"buffer": 0.25}, 0.04, 0.05),
        ({"buffer": 0.25}, 0.06, 0.0625),
        ({"buffer": 0.25}, 0.09, 0.09),
        ({"rise": 0.1}, 0.08, 0.055),
        ({"fall": 0.1}, 0.02, 0.045),
        ({"rise": 0.01, "step": "absolute"}, 0.08, 0.06),
        ({"box": BoxSettings(minimum=0.9, maximum=1.2)}, 0.08, 0.06),
        ({"box": BoxSettings(minimum=0.9, maximum=1.2)}, 0.01, 0.045),
        ({"band_up": 0.1}, 0.054, 0.05),
        ({"band_up": 0.1}, 0.056, 0.056),
        ({"band_down": 0.1}, 0.046, 0.05),
        ({"band_down": 0.1}, 0.044, 0.044),
    ],
)
def test_each_stage_does_what_its_setting_says(
    settings: dict[str, object], now: float, expected: float
) -> None:
    assert value(law(**settings), now) == pytest.approx(expected)


def test_a_rate_is_per_hour_and_a_pause_lets_more_through_at_once() -> None:
    half_hour = decide(law(rise=0.1), HELD, Aim(0.08, 0.05, 0.1), (0.0, 1800.0)).value
    paused = decide(law(rise=0.1, pause="3h"), HELD, Aim(0.08, 0.05, 0.1), HOURLY).value

    assert half_hour == pytest.approx(0.0525)
    assert paused == pytest.approx(0.065)


def test_direction_turns_only_after_the_dwell_and_changes_only_after_the_pause() -> None:
    risen = HELD.moved(0.06, 1000.0)
    dwelling, pausing = law(dwell="2h"), law(pause="2h")
    for seconds, turned in ((7199.0, 0.06), (7200.0, 0.04)):
        clock = (1000.0 + seconds, 3600.0)
        assert decide(dwelling, risen, Aim(0.04, 0.05, 0.1), clock).value == pytest.approx(turned)
        assert decide(pausing, risen, Aim(0.04, 0.05, 0.1), clock).value == pytest.approx(turned)
    on = decide(dwelling, risen, Aim(0.07, 0.05, 0.1), (1001.0, 3600.0))

    assert on.value == pytest.approx(0.07)
    assert decide(pausing, risen, Aim(0.07, 0.05, 0.1), (1001.0, 3600.0)).reason == (
        "too soon after the last change"
    )


def test_an_alarm_freezes_whatever_the_target_is() -> None:
    frozen = [
        decide(law(), HELD, Aim(now, now, now), HOURLY, "stale oracle") for now in (0.01, 0.5, nan, inf)
    ]

    assert [each.value for each in frozen] == [0.05] * 4
    assert {each.reason for each in frozen} == {"stale oracle"}
    assert [sum(each.stages) for each in frozen] == [0.05] * 4


def test_reasons_name_what_held_the_value_back() -> None:
    def reason(now: float, **settings: object) -> str:
        return decide(law(**settings), HELD, Aim(now, 0.05, 0.1), HOURLY).reason

    assert reason(0.08) == ""
    assert reason(0.08, rise=0.1) == "at the rate limit"
    assert reason(0.08, rise=0.1, box=BoxSettings(maximum=1.05)) == "at the bound of the box"
    assert reason(0.03, floor=1.0) == "at the floor"
    assert reason(0.051, band_up=0.1) == "within the dead band"


@st.composite
def laws(draw: st.DrawFn) -> LawSettings:
    """Any law."""
    share = st.floats(0, 0.9)
    return LawSettings.model_validate(
        {
            "stressed": draw(share),
            "buffer": draw(share),
            "dial": draw(st.floats(-1, 1)),
            "floor": draw(share),
            "band_up": draw(share),
            "band_down": draw(share),
            "dwell": f"{draw(st.integers(0, 7200))}s",
            "pause": f"{draw(st.integers(0, 7200))}s",
            "rise": draw(st.floats(0.001, 10)),
            "fall": draw(st.floats(0.001, 10)),
            "step": draw(st.sampled_from(["relative", "absolute"])),
            "box": {"minimum": draw(st.floats(0.01, 1)), "maximum": draw(st.floats(1, 100))},
        }
    )


@given(laws(), st.lists(st.floats(1e-4, 1), min_size=1, max_size=30), st.floats(0.01, 0.2))
def test_every_path_stays_in_the_box_and_within_its_rates_and_adds_up(
    rules: LawSettings, targets: list[float], opening: float
) -> None:
    held, time = Governed(opening, opening), 0.0
    for target in targets:
        time += 3600.0
        aim = Aim(target, 0.05, 0.2)
        found: Verdict = decide(rules, held, aim, (time, 3600.0))
        unit = held.value if rules.step == "relative" else 1.0
        hours = max(3600, rules.pause) / 3600
        low, high = rules.box.minimum * opening, rules.box.maximum * opening

        assert low * (1 - 1e-9) <= found.value <= high * (1 + 1e-9)
        assert found.value >= held.value - unit * rules.fall * hours - 1e-9
        assert found.value <= held.value + unit * rules.rise * hours + 1e-9
        assert aim.now + sum(found.stages) == pytest.approx(found.value, abs=1e-12)
        assert len(found.stages) == len(LAW_STAGES)
        held = held.moved(found.value, time)
