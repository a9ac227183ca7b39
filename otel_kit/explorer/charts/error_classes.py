"""The colour of each error class: faults in strong colours, refusals in greys."""

from otel_kit.errors import ErrorClass
from otel_kit.explorer.charts.palette import Palette, mixed


def colours(palette: Palette) -> dict[str, str]:
    """For every class, faults first."""
    series = palette.series
    return {
        ErrorClass.TIMEOUT: palette.kinds["queue"],
        ErrorClass.CONNECTION: series[0],
        ErrorClass.DNS: mixed(series[0], palette.ink, 0.5),
        ErrorClass.TLS: series[5],
        ErrorClass.THROTTLED: palette.kinds["backoff"],
        ErrorClass.UNAVAILABLE: series[6],
        ErrorClass.BREAKER_OPEN: palette.kinds["rejected"],
        ErrorClass.SERVER_ERROR: mixed(palette.error, palette.ink, 0.4),
        ErrorClass.SERIALIZATION: series[1],
        ErrorClass.UNKNOWN: palette.ink,
        ErrorClass.CLIENT_ERROR: palette.muted,
        ErrorClass.BUSINESS: mixed(palette.muted, palette.page, 0.4),
        ErrorClass.CANCELLED: mixed(palette.muted, palette.page, 0.65),
    }
