"""Runs programs: how long they took, what they said and when, how much memory they used."""

import os
import re
import signal
import subprocess
import time
from typing import Callable, NamedTuple, Optional

# Lines of a program that are shown when it fails.
SHOWN_LINES = 30


class Failed(Exception):
    """Something could not be measured."""


class Run(NamedTuple):
    """A program that has ended."""

    seconds: float
    # Seconds from its start, and the line.
    lines: list[tuple[float, str]]
    # The most memory it held at once (ru_maxrss: everything resident, its own code included). It is
    # never less than what this program held when it started the other one, some 15 MiB.
    peak_bytes: int

    def when(self, pattern: str) -> float:
        """When the first line with the pattern was said."""
        for moment, line in self.lines:
            if re.search(pattern, line):
                return moment
        raise Failed(f"lvhost did not say `{pattern}`:\n{self.said()}")

    def between(self, first: str, second: str) -> float:
        """Seconds between two lines."""
        return self.when(second) - self.when(first)

    def found(self, pattern: str) -> str:
        """What the pattern's group is in the first line that has it."""
        for _, line in self.lines:
            if match := re.search(pattern, line):
                return match[1]
        raise Failed(f"lvhost did not say `{pattern}`:\n{self.said()}")

    def said(self) -> str:
        return "\n".join(line for _, line in self.lines[-SHOWN_LINES:])


def run(
    command: list[str],
    environment: Optional[dict[str, str]] = None,
    interrupt_at: Optional[str] = None,
    then: Callable[[], None] = lambda: None,
) -> Run:
    """Runs a program to its end.

    With `interrupt_at` it is interrupted, as by Ctrl-C, once it says a line with that pattern (and
    `then` was called), and has to end with the status that lvhost has for that.
    """
    expected = 0
    lines = []
    begun = time.monotonic()
    child = subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    try:
        for line in child.stdout:
            lines.append((time.monotonic() - begun, line.rstrip("\n")))
            if interrupt_at and expected == 0 and re.search(interrupt_at, line):
                then()
                expected = 130
                child.send_signal(signal.SIGINT)
    finally:
        # Also when this program is interrupted: the other one is then cleaning up.
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    ended = Run(time.monotonic() - begun, lines, usage.ru_maxrss << 10)
    if child.returncode != expected:
        raise Failed(f"{' '.join(command)}: ended with {child.returncode}\n{ended.said()}")
    return ended


def output(command: list[str]) -> str:
    """What a program says."""
    return "\n".join(line for _, line in run(command).lines)
