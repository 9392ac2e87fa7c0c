"""Exponential and logarithm in arithmetic alone, so that loops over many of them run on vector registers.

The logarithm of 2 is split in two, so that a whole number times the first part is exact [1]_.

References
----------
.. [1] W. J. Cody and W. Waite, "Software Manual for the Elementary Functions", Prentice-Hall (1980).
"""

from math import factorial

import numpy as np

from protocol.kernels import bits_of, float_of, fragment

WIDEST = 700.0
PER_OCTAVE = 1 / np.log(2)
OCTAVE_HIGH, OCTAVE_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
ROUNDER, BIAS, MANTISSA = 1.5 * 2.0**52, 1023, 52
ROOT_HALF = 0x3FE6A09E667F3BCD
EXPONENTIAL = tuple(1 / factorial(n) for n in range(13, 1, -1))
LOGARITHM = tuple(1 / n for n in range(23, 2, -2))


@fragment
def exponential(x: float) -> float:
    """`exp(x)` to two units in the last place; e⁻⁷⁰⁰ below −700, infinite above 700, NaN of NaN.

    With n the nearest whole number to x / log 2 and r = x − n log 2, it is 2ⁿ times the Taylor series of eʳ
    up to r¹³, whose rest is below 5e-18. Adding 1.5 · 2⁵² leaves n in the lowest bits, from where it moves
    into the exponent.
    """
    held = max(x, -WIDEST)
    shifted = held * PER_OCTAVE + ROUNDER
    octaves = shifted - ROUNDER
    rest = (held - octaves * OCTAVE_HIGH) - octaves * OCTAVE_LOW
    total = 0.0
    for i in range(len(EXPONENTIAL)):
        total = total * rest + EXPONENTIAL[i]
    mantissa = total * rest * rest + rest + 1.0
    value = mantissa * float_of((bits_of(shifted) + BIAS) << MANTISSA)
    return np.inf if x > WIDEST else value


@fragment
def logarithm(x: float) -> float:
    """`log(x)` to two units in the last place, of a positive normal number; infinity and NaN pass.

    With x = 2ⁿm, m in [√½, √2) and s = (m − 1) / (m + 1), it is n log 2 + 2 (s + s³/3 + … + s²³/23), whose
    rest is below 1e-18 of it.
    """
    octaves = (bits_of(x) - ROOT_HALF) >> MANTISSA
    mantissa = float_of(bits_of(x) - (octaves << MANTISSA))
    slope = (mantissa - 1.0) / (mantissa + 1.0)
    square = slope * slope
    total = 0.0
    for i in range(len(LOGARITHM)):
        total = (total + LOGARITHM[i]) * square
    count = float_of(octaves + bits_of(ROUNDER)) - ROUNDER
    value = count * OCTAVE_HIGH + (count * OCTAVE_LOW + 2.0 * (slope + slope * total))
    return value if x < np.inf else x
