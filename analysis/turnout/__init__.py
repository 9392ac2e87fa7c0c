"""Whether a simulated electorate votes like those of real venues."""
