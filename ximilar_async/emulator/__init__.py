"""A local Visual Search service: the documented methods over real images, offline.

    async with Emulator("data-dir") as emulator:
        async with Ximilar("any-token", base_url=emulator.url) as ximilar:
            ...

It answers as the documents say; where they are silent or disagree, each method's docstring
(`methods`) and `Emulator` say what was taken. It is no copy of the vendor's models: descriptors,
distances and what counts as alike are its own.
"""

from __future__ import annotations

try:
    import numpy as np  # noqa: F401 - only to see whether it is there
    import PIL  # noqa: F401 - as above
except ImportError as missing:
    raise ImportError(
        f"the emulator needs {missing.name}: pip install 'ximilar-async[emulator]'"
    ) from None

from ximilar_async._protocol import Request, Response

from . import faults
from .descriptor import Extractor, ImageRefused, VisualDescriptor
from .emulator import Emulator
from .errors import EmulatorError
from .fault_file import load_faults
from .faults import Fault, FaultPlan, Faults, Rule
from .transport import EmulatorTransport

__all__ = [
    "Emulator",
    "EmulatorError",
    "EmulatorTransport",
    "Extractor",
    "Fault",
    "FaultPlan",
    "Faults",
    "ImageRefused",
    "Request",
    "Response",
    "Rule",
    "VisualDescriptor",
    "faults",
    "load_faults",
]
