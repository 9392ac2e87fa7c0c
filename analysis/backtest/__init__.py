"""Replays of real events: the same population on real prices, held against what really happened."""
