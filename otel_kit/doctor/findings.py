"""What a check found, and how a list of findings is shown."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final


class Status(StrEnum):
    """How bad it is."""

    FINE = "fine"
    NOTE = "note"
    """Worth knowing; the exit code does not tell."""
    PROBLEM = "problem"


_MARKS: Final = {Status.FINE: "✓", Status.NOTE: "!", Status.PROBLEM: "✗"}
_PLAIN: Final = str.maketrans({"✓": "ok", "✗": "x", "→": "->"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what is so, and (but for `fine`) what to do about it."""

    status: Status
    check: str
    """Which part of the doctor says so: settings, exporters, libraries, propagation, …"""
    text: str
    advice: str = ""

    def __str__(self) -> str:
        advice = f": {self.advice}" if self.advice else ""
        line = f"{_MARKS[self.status]} {self.text}{advice}"
        # Names come from strangers: nothing in them may steer the terminal.
        return "".join(each if each.isprintable() else "?" for each in line)


def fine(check: str, text: str) -> Finding:
    return Finding(Status.FINE, check, text)


def note(check: str, text: str, advice: str) -> Finding:
    return Finding(Status.NOTE, check, text, advice)


def problem(check: str, text: str, advice: str) -> Finding:
    return Finding(Status.PROBLEM, check, text, advice)


def problems(findings: Iterable[Finding]) -> int:
    """How many findings are problems."""
    return sum(each.status is Status.PROBLEM for each in findings)


def as_text(findings: Iterable[Finding], encoding: str = "utf-8") -> str:
    """A line for each; plain marks where the terminal's `encoding` lacks ours."""
    text = "\n".join(map(str, findings))
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return text.translate(_PLAIN).encode("ascii", "replace").decode()
    return text


def as_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """`{"problems": n, "findings": [{"status", "check", "text", "advice"}]}`."""
    found = list(findings)
    return {"problems": problems(found), "findings": [asdict(each) for each in found]}
