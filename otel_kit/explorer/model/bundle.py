"""A saga in one file, to attach to a ticket and open in anyone's explorer.

JSON: ``format`` and ``version``; ``saga`` (its row); ``traces`` and ``logs`` as OTLP/JSON, so that
any OTLP receiver takes them; ``edges``, ``queues``, ``breakers``, ``propagation`` (null where the
source could not tell) and ``window_s``, the seconds they were measured over (null: since the
services began); ``usual``: what is usual for sagas of this name; ``verdict``: state and sentence as
concluded; ``exported_ns``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, TypeVar

from otel_kit.explorer.model import otlp_read, otlp_write, usual_json
from otel_kit.explorer.model.rows import Surroundings
from otel_kit.explorer.model.state import STATES, State
from otel_kit.explorer.model.usual import Usual
from otel_kit.records import (
    BreakerRecord,
    EdgeRecord,
    PropagationRecord,
    Quantiles,
    QueueRecord,
    SagaDetail,
    SagaRecord,
    SpanRecord,
    StepRecord,
    TraceRecord,
)

R = TypeVar("R")
FORMAT: Final = "otel-kit.saga"
VERSION: Final = 1
MAX_BYTES: Final = 128 * 1024 * 1024
"""A larger file is refused unread."""


class MalformedBundle(ValueError):
    """The file is no saga bundle; the message says why."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle holds; `state` and `sentence` are the verdict as of `exported_ns`.

    `around` was measured over `window_s` seconds, None: since the services began.
    """

    detail: SagaDetail
    around: Surroundings
    state: State
    sentence: str
    exported_ns: int
    usual: Usual | None = None
    window_s: float | None = None


def write(bundle: Bundle) -> bytes:
    """The file."""
    detail, around = bundle.detail, bundle.around
    spans = [span for trace in detail.traces for span in trace.spans]
    document = {
        "format": FORMAT,
        "version": VERSION,
        "exported_ns": bundle.exported_ns,
        "verdict": {"state": bundle.state, "sentence": bundle.sentence},
        "saga": asdict(detail.saga),
        "truncated": detail.truncated,
        "traces": otlp_write.write_spans(spans),
        "logs": otlp_write.write_logs(detail.logs),
        **{name: _rows(getattr(around, name)) for name in _ROWS},
        "window_s": bundle.window_s,
        "usual": usual_json.write(bundle.usual),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


def _rows(rows: Sequence[Any] | None) -> list[dict[str, Any]] | None:
    return None if rows is None else [asdict(row) for row in rows]


def read(data: bytes) -> Bundle:
    """The saga in a file, traces and spans by start; raises `MalformedBundle`."""
    document = _parse(data)
    try:
        verdict = document["verdict"]
        state = verdict["state"]
        if state not in STATES:
            raise MalformedBundle(f"{str(state)[:50]!r} is no state of a saga")
        return Bundle(
            detail=_detail(document),
            around=Surroundings(**{name: _read_rows(document, name) for name in _ROWS}),
            state=state,
            sentence=str(verdict["sentence"]),
            exported_ns=_moment(document["exported_ns"]),
            usual=usual_json.read(document.get("usual")),
            window_s=_window(document.get("window_s")),
        )
    except MalformedBundle:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise MalformedBundle(f"the bundle is damaged: {str(error)[:200]}") from error


def _moment(time_ns: Any) -> int:
    if not 0 < int(time_ns) < 2**63:
        raise MalformedBundle("exported_ns is no time")
    return int(time_ns)


def _window(seconds: Any) -> float | None:
    return None if seconds is None else float(seconds)


def _parse(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise MalformedBundle(f"the file has over {MAX_BYTES // 1024**2} MiB")
    try:
        document = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedBundle("the file is not JSON") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise MalformedBundle("the file is not a saga bundle of otel-kit")
    if document.get("version") != VERSION:
        found = str(document.get("version"))[:20]
        raise MalformedBundle(f"the bundle has version {found}, this explorer reads {VERSION}")
    return document


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _detail(document: Mapping[str, Any]) -> SagaDetail:
    traces: dict[str, list[SpanRecord]] = {}
    for span in otlp_read.read_spans(document["traces"]):
        traces.setdefault(span.trace_id, []).append(span)
    for spans in traces.values():
        spans.sort(key=lambda span: span.started_ns)
    ordered = sorted(traces.items(), key=lambda item: item[1][0].started_ns)
    return SagaDetail(
        saga=_record(SagaRecord, document["saga"]),
        traces=[TraceRecord(trace_id, spans) for trace_id, spans in ordered],
        logs=sorted(otlp_read.read_logs(document["logs"]), key=lambda log: log.time_ns),
        truncated=bool(document["truncated"]),
    )


def _read_rows(document: Mapping[str, Any], name: str) -> list[Any] | None:
    rows = document.get(name)
    return None if rows is None else [_record(_ROWS[name], row) for row in rows]


_ROWS: Final[dict[str, type]] = {
    "edges": EdgeRecord,
    "queues": QueueRecord,
    "breakers": BreakerRecord,
    "propagation": PropagationRecord,
}
_NESTED: Final = ("duration", "queue", "wait")


def _record(kind: type[R], row: Mapping[str, Any]) -> R:
    """A record; every value must be of the type that the field has."""
    known = {each.name: _annotation(each.type) for each in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in row.items():
        if name in _NESTED and name in known:
            values[name] = _record(Quantiles, value)
        elif name == "steps" and name in known:
            values[name] = tuple(_record(StepRecord, step) for step in value)
        elif name in known:
            values[name] = _checked(name, value, known[name])
    return kind(**values)


def _checked(name: str, value: Any, kind: str) -> Any:
    fits = any(isinstance(value, allowed) for word, allowed in _ALLOWED.items() if word in kind)
    if isinstance(value, bool) and "bool" not in kind:
        fits = False
    if not fits and not (value is None and "None" in kind):
        raise MalformedBundle(f"{name} must be {kind}")
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        raise MalformedBundle(f"{name} must be a list of texts")
    if isinstance(value, dict) and not all(isinstance(item, int) for item in value.values()):
        raise MalformedBundle(f"{name} must map texts to whole numbers")
    return value


_ALLOWED: Final[dict[str, type | tuple[type, ...]]] = {
    "Sequence": list,
    "Mapping": dict,
    "bool": bool,
    "float": (int, float),
    "int": int,
    "str": str,
}


def _annotation(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)
