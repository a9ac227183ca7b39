"""Answers of Jaeger's query API, made comparable: in one order, without what is arbitrary."""

import json
from collections.abc import Iterator
from typing import Any

import httpx


def answer(response: httpx.Response) -> dict[str, Any]:
    """Status and content, in an order that does not depend on the server."""
    body = response.json()
    if isinstance(body.get("data"), list):
        body["data"] = _sorted([_row(row) for row in body["data"]])
    if response.status_code >= 400:
        body["errors"] = [{**error, "msg": bool(error["msg"])} for error in body["errors"]]
    elif body["errors"]:
        body["errors"] = _sorted(body["errors"])
    return {"status": response.status_code, **body}


def _row(row: Any) -> Any:
    return _trace(row) if isinstance(row, dict) and "spans" in row else row


def _trace(trace: dict[str, Any]) -> dict[str, Any]:
    spans = [_span(span, trace["processes"]) for span in trace["spans"]]
    spans.sort(key=lambda span: (span["startTime"], span["spanID"], span["operationName"]))
    return {**trace, "spans": spans, "processes": len(trace["processes"])}


def _span(span: dict[str, Any], processes: dict[str, Any]) -> dict[str, Any]:
    """With its process in place of a process' name, which each server chooses."""
    process = processes[span["processID"]]
    return {
        **{key: value for key, value in span.items() if key != "processID"},
        "process": {**process, "tags": _sorted(process["tags"])},
        "tags": _sorted(span["tags"]),
        "logs": _sorted([{**log, "fields": _sorted(log["fields"])} for log in span["logs"]]),
    }


def _sorted(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def differing(theirs: Any, ours: Any, path: str = "") -> set[str]:
    """Where two answers differ, such as ``data[].spans[].warnings``; empty if they do not."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return set().union(*_members(theirs, ours, path))
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        pairs = zip(theirs, ours, strict=True)
        return set().union(*(differing(one, other, f"{path}[]") for one, other in pairs))
    # 1 is not True, but 5 is 5.0: JSON has one kind of number.
    same = theirs == ours and isinstance(theirs, bool) == isinstance(ours, bool)
    return set() if same else {path}


def _members(theirs: dict[str, Any], ours: dict[str, Any], path: str) -> Iterator[set[str]]:
    for key in theirs.keys() | ours.keys():
        below = f"{path}.{key}" if path else key
        shared = key in theirs and key in ours
        yield differing(theirs[key], ours[key], below) if shared else {below}
