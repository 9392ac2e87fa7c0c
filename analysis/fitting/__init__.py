"""Generators of prices calibrated to candle files, and how well their paths resemble the data."""
