"""Traces and metrics for whoever has OpenTelemetry: `Ximilar(telemetry=OpenTelemetry())`.

Needs the extra `otel`. Nothing of it is imported, and nothing is paid for it, without this module.
"""

from __future__ import annotations

try:
    from ._telemetry import OpenTelemetry
except ModuleNotFoundError as missing:
    if not (missing.name or "").startswith("opentelemetry"):
        raise
    raise ModuleNotFoundError(
        f"telemetry needs {missing.name}: pip install 'ximilar-async[otel]'", name=missing.name
    ) from missing

__all__ = ["OpenTelemetry"]
