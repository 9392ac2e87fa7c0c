"""Random streams: named, independent of each other, the same on every machine."""

import hashlib

import numpy as np
import pytest

from sim.streams import stream


def test_equal_seed_and_name_give_equal_numbers() -> None:
    first = stream(7, "prices", "bridge").standard_normal(100)
    second = stream(7, "prices", "bridge").standard_normal(100)

    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("seed", "name"),
    [
        (8, ("prices", "bridge")),
        (7, ("prices",)),
        (7, ("prices", "bridge", 0)),
        (7, ("pricesbridge",)),
        (7, ("bridge", "prices")),
        (7, ("prices", "bridge", "0")),
        (7, ()),
    ],
)
def test_another_seed_or_name_gives_other_numbers(seed: int, name: tuple[str | int, ...]) -> None:
    reference = stream(7, "prices", "bridge").standard_normal(100)

    assert not np.isclose(stream(seed, *name).standard_normal(100), reference).any()


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**96 + 5, 2**128, 2**130 + 1])
def test_a_stream_is_that_of_the_seed_sequence_spawned_by_the_digest(seed: int) -> None:
    words = np.frombuffer(hashlib.sha256(b'["x", 3]').digest(), "<u4").tolist()
    sequence = np.random.SeedSequence(seed, spawn_key=words)  # noqa: TID251 - the oracle
    expected = np.random.Generator(np.random.Philox(sequence)).random(5)  # noqa: TID251

    np.testing.assert_array_equal(stream(seed, "x", 3).random(5), expected)


def test_a_number_in_a_name_is_not_its_text() -> None:
    assert stream(1, "x", 1).random() != stream(1, "x", "1").random()
    assert stream(1, "x", np.int64(1)).random() == stream(1, "x", 1).random()


def test_numbers_are_the_same_on_every_machine() -> None:
    draws = stream(1, "reference").integers(0, 1_000_000, 4)

    np.testing.assert_array_equal(draws, REFERENCE)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"seed >= 0 must hold, got seed=-1"):
        stream(-1, "x")


REFERENCE = [997632, 322978, 688001, 709004]
