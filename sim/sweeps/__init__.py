"""Sweeps: many runs over points and seeds, stored, resumed and never lost."""
