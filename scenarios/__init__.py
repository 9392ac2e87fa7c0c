"""Scenario files, presets and published price levels, shipped as data."""
