"""Why a span failed, written onto it."""

from opentelemetry.trace import Span, Status, StatusCode


def mark_failed(span: Span, error: BaseException | None, description: str | None = None) -> None:
    """Status ERROR, and the exception that the application sees, if any; never raises.

    The exception's text is made by code of the application's, which may fail.
    """
    if error is not None:
        try:
            description = str(error)
            span.record_exception(error)
        except Exception:
            description = f"{type(error).__qualname__}, whose text cannot be read"
    span.set_status(Status(StatusCode.ERROR, description))
