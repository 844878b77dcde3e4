"""Spans and metrics by OpenTelemetry's conventions for HTTP clients and databases.

The only room that knows OpenTelemetry. A call is a span of kind CLIENT; it travels in the context,
so that what the call does (a retry, a log record, a span of somebody's transport) belongs to it. A
bulk run is a span too, the parent of its calls'. Attributes hold names and numbers: never a token,
a header, a record or an image.
"""

from ._watching import OpenTelemetry

__all__ = ["OpenTelemetry"]
