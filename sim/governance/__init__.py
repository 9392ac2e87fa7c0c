"""Governance of a run: its settings, its rules in the protocol's units, what it enacts and leaves behind."""
