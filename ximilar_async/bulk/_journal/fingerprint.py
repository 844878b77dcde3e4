"""Whether an input is still the one that a journal was begun with: the sources know."""

from __future__ import annotations

from ximilar_async.sources._fingerprint import SAMPLES, WHOLE
from ximilar_async.sources._fingerprint import path_fingerprint as input_fingerprint

__all__ = ["SAMPLES", "WHOLE", "input_fingerprint"]
