"""Margins along given prices: what policies would have asked for, at equal coverage, without a venue."""
