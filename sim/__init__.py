"""The world in time: scenarios, prices, the Mesa model, runs and what they leave on disk."""
