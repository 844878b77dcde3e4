"""A catalog of rendered product images, to try everything on: with copies and spoilt files.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     catalog = make_catalog(Path(folder), products=12)
    ...     len(catalog.records_path.read_text(encoding="utf-8").splitlines()) == catalog.count
    True

Needs Pillow and numpy, which the extra `emulator` brings.
"""

from __future__ import annotations

try:
    import numpy as np  # noqa: F401 - only to see whether it is there
    import PIL  # noqa: F401 - as above
except ImportError as missing:
    raise ImportError(
        f"the demo needs {missing.name}: pip install 'ximilar-async[emulator]'"
    ) from None

from ._catalog import Catalog, make_catalog

__all__ = ["Catalog", "make_catalog"]
