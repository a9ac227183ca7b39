"""The embedded collector answers as the real Jaeger does, fed the same spans."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from collector.stack import run
from collector.stack.process import HOST, free_port
from tests.embedded.running import collector
from tests.stack.jaeger_answers import answer, differing
from tests.stack.jaeger_requests import CASES, Case
from tests.stack.odd_spans import request, trace_id

pytestmark = pytest.mark.xdist_group("jaeger_api")

PAGE: Final = Path(__file__).parents[2] / "docs" / "jaeger-api.md"

_FAILS: Final = {"status", "data", "errors"}
"""Where an error and an answer differ."""

INTENDED: Final[Mapping[str, Mapping[str, set[str]]]] = {
    "No service name": {
        "trace: no service": {"data[].processes", "data[].spans[].process.serviceName"},
        "services": {"data", "total"},
    },
    "No clock skew": {
        "trace: skewed": {"data[].spans[].warnings"},
        "trace: orphans": {"data[].spans[].warnings"},
    },
    "No duration": {
        "trace: no duration": {"data[].spans[].warnings"},
        "trace: negative duration": {"data[].spans[].warnings[]"},
    },
    "A link to nowhere": {
        "trace: link nowhere": {"data[].spans[].warnings[]"},
    },
    "A linked parent": {
        "trace: parent linked": {"data[].spans[].references"},
    },
    "Ids in full": {
        "trace: short id": {
            "data[].traceID",
            "data[].spans[].traceID",
            "data[].spans[].references[].traceID",
        },
        "ids: short": {"errors[].traceID"},
    },
    "Spans as they were sent": {
        "trace: shared id": {"data[].spans[].references[].spanID", "data[].spans[].spanID"},
        "trace: old clients": {"data[].spans[].process.tags", "data[].spans[].tags"},
        "search: raw that is no boolean": _FAILS,
    },
    "A key twice": {
        "trace: doubled key": {"data[].spans[].tags"},
    },
    "Empty bytes": {
        "trace: empty bytes": {"data[].spans[].tags[].value"},
    },
    "No number": {
        "trace: not a number": _FAILS,
    },
    "Huge values": {
        "trace: huge value": {"data[].spans[].tags[].value"},
    },
    "An id of zeros": {
        "trace: zero": {"status", "errors[].code"},
    },
    "Operations of nobody": {
        "operation names: absent": {"data"},
    },
    "Kinds of operations": {
        "operations: with kinds": {"data[].spanKind"},
        "operations: of a kind": {"data", "total"},
    },
    "No service asked for": {
        "search: no service": _FAILS,
        "search: empty service": _FAILS,
    },
    "One span must fulfil all": {
        "search: tags of two spans": {"data"},
        "search: tags of another span than the operation's": {"data"},
        "search: least duration of another service's span": {"data"},
        "search: most duration, too short": {"data"},
        "search: durations of a span that fails otherwise": {"data"},
    },
    "A saga's id": {
        "search: tags saga.id of another service": {"data"},
    },
    "Bytes as tags": {
        "search: tags of the value bytes": {"data"},
    },
    "Tags that are no text": {
        "search: tags that are numbers": _FAILS,
    },
    "Days": {
        "search: duration 1d": _FAILS,
        "search: negative duration": _FAILS,
    },
    "How far back": {
        "search: older than two days": {"data"},
        "search: lookback of a minute": {"data"},
    },
    "An end before the start": {
        "search: end before start": _FAILS,
    },
    "Limits": {
        "search: limit 0": _FAILS,
        "search: limit -1": _FAILS,
        "search: limit of 40 bits": _FAILS,
    },
    "Many ids": {
        "ids: too many": _FAILS,
    },
}
"""Every intended difference, the cases that show it, and where; `PAGE` has the reasons."""


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Jaeger's query address and the embedded collector's, after both took the same request."""
    others = ("JAEGER_HEALTH_PORT", "JAEGER_QUERY_GRPC_PORT", "JAEGER_METRICS_PORT")
    otlp, query = free_port(), free_port()
    environment = {name: str(free_port()) for name in others} | {"JAEGER_OTLP_PORT": str(otlp)}
    try:
        jaeger = run.jaeger(tmp_path_factory.mktemp("jaeger"), query, environment)
    except run.NotBuilt as missing:
        pytest.skip(str(missing))
    with ExitStack() as stack:
        stack.callback(jaeger.stop)
        jaeger.start()
        embedded = stack.enter_context(collector())
        for address in (f"{HOST}:{otlp}", embedded.otlp_grpc_url.removeprefix("http://")):
            with grpc.insecure_channel(address) as channel:
                TraceServiceStub(channel).Export(request())
        theirs = f"http://{HOST}:{query}"
        _wait_for_last(theirs)
        yield theirs, embedded.query_url


def _wait_for_last(url: str) -> None:
    end = time.monotonic() + 30
    while httpx.get(f"{url}/api/traces/{trace_id('last')}").status_code != 200:
        assert time.monotonic() < end, "Jaeger has not stored what it took"
        time.sleep(0.1)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_both_answer_alike(urls: tuple[str, str], case: Case) -> None:
    """A request has the same status and content from both, but for what is listed as intended."""
    theirs, ours = (httpx.get(url + case.path, params=case.params or None) for url in urls)
    expected = {where for cases in INTENDED.values() for where in cases.get(case.name, ())}

    assert differing(answer(theirs), answer(ours)) == expected, (theirs.text, ours.text)


def test_every_intended_difference_is_shown_by_a_case_and_told_to_users() -> None:
    """The table names cases that exist, each once, and the API's page explains just these."""
    named = [name for cases in INTENDED.values() for name in cases]

    assert set(named) <= {case.name for case in CASES}
    assert len(set(named)) == len(named)
    assert re.findall(r"^- \*\*(.+)\.\*\*", PAGE.read_text(), re.MULTILINE) == list(INTENDED)
