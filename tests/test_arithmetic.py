"""Products of two int64 and their rounding, against Python's unbounded integers."""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from protocol.arithmetic import (
    PPM,
    multiply_divide_floor,
    ppm_ceil,
    ppm_floor,
    product_compare,
    wide_product,
)

pytestmark = pytest.mark.kernel

LARGEST = 2**63 - 1
words = st.integers(-LARGEST, LARGEST)
balances = st.integers(-(10**18), 10**18)
rates = st.integers(-PPM, PPM)


@given(balances, rates)
@example(10**18, PPM)
@example(1, 1)
@example(-1, 1)
def test_rates_of_a_balance_round_exactly_either_way(value: int, rate: int) -> None:
    assert ppm_ceil(value, rate) == -(-value * rate // PPM)
    assert ppm_floor(value, rate) == value * rate // PPM


@given(words, words)
@example(LARGEST, -LARGEST)
def test_a_wide_product_holds_all_bits(left: int, right: int) -> None:
    high, low = wide_product(left, right)

    assert (int(high) << 64) + int(low) == abs(left * right)


@given(words, words, words, words)
@example(LARGEST, LARGEST, LARGEST, LARGEST - 1)
@example(3, -5, -5, 3)
@example(0, 5, -3, 0)
def test_products_compare_like_unbounded_integers(a: int, b: int, c: int, d: int) -> None:
    assert product_compare(a, b, c, d) == np.sign(a * b - c * d)


@given(words, words, st.integers(1, LARGEST))
@example(LARGEST, LARGEST, LARGEST)
@example(-7, 1, 2)
@example(0, -1, 3)
def test_a_quotient_rounds_toward_minus_infinity(a: int, b: int, divisor: int) -> None:
    assume(abs(a * b // divisor) <= LARGEST)

    assert multiply_divide_floor(a, b, divisor) == a * b // divisor


@pytest.mark.parametrize("a", [-7, 7, 10**18])
def test_quotients_stay_integers(a: int) -> None:
    assert type(multiply_divide_floor(a, 10**18, 3 * 10**18)) is int
    assert type(ppm_ceil(a, 12_000)) is int
    assert type(ppm_floor(a, 12_000)) is int


@given(balances, rates, st.integers(1, 10**18))
def test_compiled_and_interpreted_arithmetic_agree(value: int, rate: int, divisor: int) -> None:
    assume(abs(value * rate // divisor) <= LARGEST)

    with np.errstate(over="ignore"):
        interpreted = multiply_divide_floor.py_func(value, rate, divisor)
        words_of = wide_product.py_func(value, divisor)

    assert multiply_divide_floor(value, rate, divisor) == interpreted
    assert wide_product(value, divisor) == words_of
    assert ppm_ceil(value, rate) == ppm_ceil.py_func(value, rate)
    assert ppm_floor(value, rate) == ppm_floor.py_func(value, rate)
    assert product_compare(value, rate, divisor, rate) == product_compare.py_func(value, rate, divisor, rate)
