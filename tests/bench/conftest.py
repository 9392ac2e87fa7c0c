"""Ends the benchmarks with their one table."""

import pytest
from bench.speeds import READINGS, SPEEDS, memory_lines, table


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if speeds := config.stash.get(SPEEDS, []):
        terminalreporter.write_line(f"\n{table(speeds)}")
    if readings := config.stash.get(READINGS, []):
        terminalreporter.write_line(f"\n{memory_lines(readings)}")
