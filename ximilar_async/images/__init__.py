"""Images of records: told by their content, checked, shrunk and turned into `_base64`.

A record brings its image as `_url` or `_base64`, which travel as they are, or as `_file` (a local
path) or `_image` (bytes, a PIL image or a numpy array), which are prepared here. Pillow and
pillow-heif come with the extra `images` and are first looked for when they are needed.
"""

from __future__ import annotations

from ._formats import image_format
from ._options import ImageOptions
from ._prepare import (
    make_thumbnail,
    needs_preparing,
    prepare_record,
    prepare_records,
    take_image,
    take_images,
)

__all__ = [
    "ImageOptions",
    "image_format",
    "make_thumbnail",
    "needs_preparing",
    "prepare_record",
    "prepare_records",
    "take_image",
    "take_images",
]
