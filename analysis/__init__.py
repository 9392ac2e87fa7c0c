"""Reads results, never the simulation's inside."""
