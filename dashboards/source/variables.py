"""The template variables, and the matchers that use them."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import (
    CustomVariable,
    DatasourceVariable,
    QueryVariable,
)
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.source import metrics

SOURCE: Final = DataSourceRef("prometheus", "${datasource}")
SERVER: Final = 'server=~"$service"'
CLIENT: Final = 'client=~"$client"'
JOB: Final = 'job=~"$service"'
TRANSPORT: Final = 'transport=~"$transport"'
DESTINATION: Final = 'destination=~"$destination"'
SIDE: Final = 'side=~"$side"'
SAGA: Final = 'name=~"$saga"'

_SIDES: Final = {
    "callers and consumers": "client|consumer",
    "servers and consumers": "server|consumer",
}


def datasource() -> DatasourceVariable:
    """Which Prometheus."""
    chosen = VariableOption(selected=True, text="Prometheus", value="otel-kit-prometheus")
    return DatasourceVariable("datasource").label("Prometheus").type("prometheus").current(chosen)


def labels(name: str, label: str, description: str, metric: str, shown: str) -> QueryVariable:
    """All values of one label of a metric; all are chosen unless somebody chooses."""
    query = f"label_values({metric}, {label})"
    return (
        QueryVariable(name)
        .label(shown)
        .description(description)
        .datasource(SOURCE)
        .query(query)
        .definition(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def service(label: str = "server", metric: str = metrics.HOP.count) -> QueryVariable:
    """The service that is called, or (`job`) that reports."""
    what = "The service that reports" if label == "job" else "The service that is called"
    return labels("service", label, f"{what}.", metric, "service")


def client() -> QueryVariable:
    """The service that calls."""
    return labels("client", "client", "The service that calls.", metrics.HOP.count, "called by")


def transport() -> QueryVariable:
    """http, grpc, kafka, …"""
    what = "How services talk: http, grpc, kafka, …"
    return labels("transport", "transport", what, metrics.HOP.count, "transport")


def destination() -> QueryVariable:
    """Topics and queues."""
    what = "The topic or queue."
    return labels("destination", "destination", what, metrics.DWELL.count, "destination")


def saga() -> QueryVariable:
    """Kinds of sagas."""
    return labels("saga", "name", "The kind of saga.", metrics.SAGA_STARTED.series, "saga")


def side() -> CustomVariable:
    """From which end of a call to look."""
    options = [_option(text, value) for text, value in _SIDES.items()]
    return (
        CustomVariable("side")
        .label("seen by")
        .description("Callers also see timeouts, refused connections and open breakers.")
        .values(", ".join(f"{text} : {value}" for text, value in _SIDES.items()))
        .options(options)
        .current(options[0])
        .hide(VariableHide.DONT_HIDE)
    )


def _option(text: str, value: str) -> VariableOption:
    return VariableOption(selected=value == next(iter(_SIDES.values())), text=text, value=value)
