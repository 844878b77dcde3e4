"""What a run read, and where it went."""

from __future__ import annotations

from attrs import field, frozen


@frozen(kw_only=True)
class Origin:
    """What a run read, where it went, and which files it kept.

    Args:
        source: What the records came from.
        collection: The collection's id.
        service: The service that it belongs to.
        journal: The journal's path; empty without one.
        rejects: The rejects file's path; empty without one.
        rejects_from: How long the rejects file was when the run began, in bytes.
        run: Name of the run in the rejects file; empty where it has several.
        root: Folder that the records' `_file` is below, where there is one.
    """

    source: str = ""
    collection: str = ""
    service: str = ""
    journal: str = ""
    rejects: str = ""
    rejects_from: int = field(default=0, repr=False)
    run: str = field(default="", repr=False)
    root: str | None = None
