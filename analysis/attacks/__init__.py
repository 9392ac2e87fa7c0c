"""Attacks and their guards, run on the same seeds: does it succeed, what does it cost, does it pay."""
