"""A hop that loses its context is named: which, how often, since when, and why."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from otel_kit.cli import main
from tests.demo.conftest import RunningDemo, eventually, running_demo

pytestmark = [pytest.mark.demo, pytest.mark.timeout(120)]


def losing(demo: RunningDemo) -> list[dict[str, Any]]:
    """The rows of /api/propagation that have lost something."""
    reply = httpx.get(f"{demo.query}/api/propagation").raise_for_status()
    return [row for row in reply.json()["data"] if row["lost"]]


def named(rows: list[dict[str, Any]]) -> bool:
    return [row["client"] for row in rows] == ["billing"]


def test_the_hop_that_drops_its_context_is_named(
    demo: RunningDemo, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bank sees strangers; by elimination they are billing, and the doctor says so."""
    begun = time.time()
    with demo.broken("context-dropped"):
        demo.outcome(demo.place_order())
        (row,) = eventually(
            lambda: losing(demo), lambda rows: named(rows) and rows[0]["last"] >= begun
        )
    code = main(["doctor", "--url", demo.query])

    assert (row["client"], row["server"], row["transport"]) == ("billing", "bank", "http")
    assert code == 1
    said = capsys.readouterr().out
    assert "✗ billing → bank over http lost the context of" in said
    assert "something between drops them: a proxy or gateway" in said
    assert said.count("lost the context") == 1


def test_a_hop_that_never_had_its_context_is_named(tmp_path: Path) -> None:
    """Billing has not learned who answers at the bank's address: only the numbers agree."""
    begun = time.time()
    with running_demo(tmp_path, "--orders", "4", "--fault", "context-dropped") as demo:
        rows = eventually(
            lambda: losing(demo), lambda rows: named(rows) and rows[0]["missing"] == 4
        )

    (row,) = rows
    assert (row["client"], row["server"], row["client_inferred"]) == ("billing", "bank", True)
    assert (row["missing"], row["continued"], row["rate"]) == (4, 0, 1.0)
    assert begun <= row["since"] <= row["last"] <= time.time()
