"""Exact integer arithmetic for money: products of two int64 never overflow, rounding is explicit.

Balances are counted in micro-USD (1e-6 USD) and rates in ppm (1e-6), as dYdX v4 does on chain.
"""

import numpy as np

from protocol.kernels import kernel

MICRO = 1_000_000
PPM = 1_000_000

LOW_WORD = np.uint64(0xFFFFFFFF)
WORD = np.uint64(32)
TOP_BIT = np.uint64(63)
ONE = np.uint64(1)
ZERO = np.uint64(0)


@kernel
def ppm_ceil(value: int, rate: int) -> int:
    """`value · rate / 1e6`, rounded toward +∞; exact for any value below 9e18 / rate · 1e6."""
    whole = value // PPM
    return whole * rate - (-(value - whole * PPM) * rate) // PPM


@kernel
def ppm_floor(value: int, rate: int) -> int:
    """`value · rate / 1e6`, rounded toward −∞."""
    whole = value // PPM
    return whole * rate + (value - whole * PPM) * rate // PPM


@kernel
def wide_product(left: int, right: int) -> tuple[np.uint64, np.uint64]:
    """High and low 64 bits of `|left · right|`."""
    a, b = np.uint64(abs(left)), np.uint64(abs(right))
    a_high, a_low = a >> WORD, a & LOW_WORD
    b_high, b_low = b >> WORD, b & LOW_WORD
    cross = a_high * b_low + ((a_low * b_low) >> WORD)
    middle = (cross & LOW_WORD) + a_low * b_high
    return a_high * b_high + (cross >> WORD) + (middle >> WORD), a * b


@kernel
def product_compare(a: int, b: int, c: int, d: int) -> int:
    """Sign of `a·b − c·d`, exact."""
    left_sign, right_sign = np.sign(a) * np.sign(b), np.sign(c) * np.sign(d)
    if left_sign != right_sign:
        return 1 if left_sign > right_sign else -1
    left_high, left_low = wide_product(a, b)
    right_high, right_low = wide_product(c, d)
    if left_high == right_high and left_low == right_low:
        return 0
    larger = left_high > right_high or (left_high == right_high and left_low > right_low)
    return left_sign if larger else -left_sign


@kernel
def multiply_divide_floor(a: int, b: int, divisor: int) -> int:
    """`a · b / divisor` rounded toward −∞, for `divisor` > 0 and a quotient that fits in 63 bits."""
    high, low = wide_product(a, b)
    divisor_word = np.uint64(divisor)
    if high == ZERO:
        quotient, remainder = low // divisor_word, low % divisor_word
    else:
        quotient, remainder = ZERO, ZERO
        for bit in range(128):
            word = high if bit < 64 else low
            shift = np.uint64(63 - bit % 64)
            remainder = (remainder << ONE) | ((word >> shift) & ONE)
            quotient <<= ONE
            if remainder >= divisor_word:
                remainder -= divisor_word
                quotient |= ONE
    if (a < 0) != (b < 0) and a != 0 and b != 0:
        return -int(np.int64(quotient)) - (1 if remainder != ZERO else 0)
    return int(np.int64(quotient))
