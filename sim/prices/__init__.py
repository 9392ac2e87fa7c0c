"""Fundamental prices: replayed, joined through waypoints, drawn from a model, or resampled."""
