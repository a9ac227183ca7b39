"""Datadog's tracer, `import ddtrace.auto` first as its documentation says, to a local agent."""

from tests.benchmarks.peers.base import Peer


class Ddtrace(Peer):
    title = "ddtrace"
    packages = ("ddtrace",)

    def environment(self, sink: str, ratio: float) -> dict[str, str]:
        variables = {"DD_SERVICE": "bench", "DD_TRACE_AGENT_URL": sink}
        if ratio < 1:
            variables["DD_TRACE_SAMPLING_RULES"] = f'[{{"sample_rate": {ratio}}}]'
        return variables

    def start(self, work: str) -> None:
        import ddtrace.auto  # noqa: F401

    def flush(self) -> None:
        import ddtrace

        ddtrace.tracer.flush()


peer = Ddtrace()
