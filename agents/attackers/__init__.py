"""Attackers: roles that take a venue's rules at their word, one file each, with a budget and a profit."""
