"""Policies held against each other: from runs over the same seeds to a page that can be defended."""
