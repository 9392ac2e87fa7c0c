"""What a proposal sets, and what it cannot set."""

import numpy as np
import pytest
from chamber import fee, maintenance
from venue import parameters

from protocol.governance.payload import ALL, UNBOUNDED, Setting, applied, current


def test_settings_are_applied_to_a_copy() -> None:
    before = parameters(2)
    after = applied(before, [maintenance(15_000, 1), fee(7), maintenance(16_000, 0)])

    assert after.maintenance.tolist() == [16_000, 15_000]
    assert after.taker_fee == 7
    assert before.maintenance.tolist() == [12_000, 12_000]
    assert before.taker_fee == 0
    assert after.initial is before.initial


def test_of_two_settings_of_one_parameter_the_last_holds() -> None:
    assert applied(parameters(2), [maintenance(15_000), maintenance(16_000)]).maintenance[0] == 16_000


def test_no_setting_changes_nothing() -> None:
    before = parameters(2)

    assert applied(before, []) is not None
    assert all(a is b for a, b in zip(applied(before, []), before, strict=True))


@pytest.mark.parametrize(
    "setting",
    [
        Setting("unheard_of", ALL, 1),
        Setting("maintenance", ALL, 1),
        Setting("maintenance", 2, 1),
        Setting("taker_fee", 0, 1),
        Setting("tier_initial", 0, 1),
        Setting("_replace", ALL, 1),
        Setting("count", 0, 1),
    ],
    ids=str,
)
def test_a_setting_must_name_a_parameter_and_a_market(setting: Setting) -> None:
    with pytest.raises(ValueError, match=f"got {setting.parameter} of market {setting.market}"):
        applied(parameters(2), [setting])


@pytest.mark.parametrize("value", [UNBOUNDED + 1, -UNBOUNDED - 1, 2**70])
@pytest.mark.parametrize("make", [maintenance, fee])
def test_a_value_that_no_integer_of_the_venue_holds_is_refused(make: type[Setting], value: int) -> None:
    with pytest.raises(ValueError, match=rf"must be within ±{UNBOUNDED}, got {value}"):
        applied(parameters(2), [make(value)])


def test_values_in_force_are_read_as_python_integers() -> None:
    rules = parameters(2, taker_fee=5)._replace(maintenance=np.array([1, 2]))
    found = [current(rules, each) for each in (maintenance(0, 1), fee(0))]

    assert found == [2, 5]
    assert [type(each) for each in found] == [int, int]
