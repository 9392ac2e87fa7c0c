"""The learning risk engine: what it observes, forecasts, aims at and may do."""
