"""Each fault moves its figure in the metrics that the running demo reports."""

import re
from pathlib import Path

import httpx
import pytest

from otel_kit import names
from tests.demo.conftest import RunningDemo, eventually, running_demo

pytestmark = [pytest.mark.demo, pytest.mark.timeout(120)]

DEAD = "otel_kit_dead_letter_messages_total"
DUPLICATES = "otel_kit_duplicate_messages_total"
RETRIES = "otel_kit_retry_attempts_total"
OPEN_TIME = "otel_kit_circuit_breaker_time_seconds_total"


def metrics(demo: RunningDemo, name: str, /, **labels: str) -> float:
    """The sum of the series of that name with these labels, as Prometheus scrapes them."""
    total = 0.0
    for line in httpx.get(f"{demo.query}/metrics").text.splitlines():
        if line.startswith(name + "{") and not line.startswith("#"):
            found = dict(re.findall(r'([a-z_]+)="([^"]*)"', line))
            if labels.items() <= found.items():
                total += float(line.rsplit("}", 1)[1].split()[0])
    return total


def test_the_bank_down_opens_the_breaker(tmp_path: Path) -> None:
    """Five failures open it; time in `open` grows, callers are refused, attempts are counted."""
    with running_demo(tmp_path / "run", "--orders", "1") as demo, demo.broken("bank-down"):
        for order in [demo.place_order() for _ in range(2)]:
            assert demo.outcome(order) == "compensated"
        [row] = eventually(
            lambda: httpx.get(f"{demo.query}/api/breakers").json()["data"],
            lambda rows: rows and rows[0]["rejected"],
        )
        first = metrics(demo, OPEN_TIME, name="bank", state="open")
        later = eventually(
            lambda: metrics(demo, OPEN_TIME, name="bank", state="open"),
            lambda seconds: seconds > first,
        )
        failed = metrics(demo, RETRIES, operation="charge", server="bank", outcome="gave_up")

    assert (row["name"], row["server"], row["service"]) == ("bank", "bank", "billing")
    assert (row["state"], row["transitions"]) == ("open", 1)
    assert later > first > 0
    assert failed >= 1


def marks(demo: RunningDemo, attribute: str) -> list[str]:
    """That attribute of each handling of inventory's commands that has it, as the traces tell."""
    url = f"{demo.query}/api/traces?service=inventory&limit=1000"
    spans = [span for trace in httpx.get(url).json()["data"] for span in trace["spans"]]
    tags = [{tag["key"]: tag["value"] for tag in span["tags"]} for span in spans]
    return [
        str(each[attribute])
        for each in tags
        if attribute in each and each.get(names.MESSAGING_DESTINATION) == "inventory.commands"
    ]


def test_a_poisoned_order_makes_one_dead_letter(demo: RunningDemo) -> None:
    """Each command put aside is counted once where it came from, an unreadable one as such."""
    from_there = {"destination": "inventory.commands"}
    before = len(marks(demo, names.SPAN_DEAD_LETTER))
    with demo.broken("poison-message"):
        assert demo.outcome(demo.place_order()) == "failed"

    reasons, commands, unreadable = eventually(
        lambda: (
            marks(demo, names.SPAN_DEAD_LETTER),
            metrics(demo, DEAD, **from_there),
            metrics(demo, DEAD, **from_there, error_class="serialization"),
        ),
        lambda found: before < len(found[0]) == found[1],
    )
    assert before < len(reasons) == commands
    assert sum(reason.startswith("MalformedMessage") for reason in reasons) == unreadable > 0


def test_a_second_delivery_is_counted_once(demo: RunningDemo) -> None:
    """Each command that was delivered twice to inventory is one duplicate there."""
    known = {"destination": "inventory.commands"}
    before = len(marks(demo, names.SPAN_DUPLICATE))
    with demo.broken("duplicate-delivery"):
        assert demo.outcome(demo.place_order()) == "completed"

    spans, counted = eventually(
        lambda: (
            len(marks(demo, names.SPAN_DUPLICATE)),
            metrics(demo, DUPLICATES, **known),
        ),
        lambda found: found[0] > before and found[0] == found[1],
    )
    assert spans == counted > before
