"""What a sync is asked to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from ximilar_async._validation import instance_of, number, one_of, optional
from ximilar_async.bulk._options import Options
from ximilar_async.errors import ConfigError

from .guards import Ceiling
from .hashes import IMAGE_FIELDS, metadata_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attrs import Attribute

    from .difference import Mode

REMOTE: Final = "remote"
MARK_FIELD: Final = "ximilar_async_sync"
"""Field of a record that holds its hashes with state="remote"."""


def _state(value: Any) -> Any:
    return value if value is None or value == REMOTE else Path(value)


def _ceiling(value: Any) -> Ceiling:
    return value if isinstance(value, Ceiling) else Ceiling.read(value)


def _is_ours(_: object, attribute: Attribute[Any], value: Options) -> None:
    """See that no option is set that would make a sync do less than it says."""
    instance_of(Options)(_, attribute, value)
    ruled_out = {
        "journal": (value.journal, "a sync is resumed by its state: run it again"),
        "dry_run": (value.dry_run, "bulk.plan_sync says what would be done"),
        "max_records": (value.max_records, "the records beyond would count as gone"),
        "attribution": (value.attribution == "exact", "a sync knows its records by their hashes"),
    }
    for name, (given, why) in ruled_out.items():
        if given is not None and given is not False:
            raise ConfigError(f"Options({name}=…) is not for a sync: {why}")


@frozen(kw_only=True)
class Terms:
    """What a sync is asked to do; each is documented at `sync`."""

    mode: Mode = field(default="upsert", validator=one_of("insert", "upsert", "mirror"))
    state: Path | str | None = field(converter=_state)
    lost_unless_empty: bool = False
    """Whether a state that is not there may be begun for an empty collection only."""
    applies: bool = False
    """Whether a plan is carried out."""
    near_dups: bool = field(default=False, validator=instance_of(bool))
    radius: float | None = field(default=None, validator=optional(number(least=0)))
    version_field: str | None = None
    ceiling: Ceiling = field(factory=lambda: Ceiling(share=0.05), converter=_ceiling)
    allow_delete: bool = field(default=False, validator=instance_of(bool))
    allow_new_catalog: bool = field(default=False, validator=instance_of(bool))
    allow_lost_fields: bool = field(default=False, validator=instance_of(bool))
    remote_field: str = field(default=MARK_FIELD, validator=instance_of(str))
    options: Options = field(factory=Options, validator=_is_ours)

    def __attrs_post_init__(self) -> None:
        if self.radius is not None and not self.near_dups:
            raise ConfigError("radius is for near_dups=True")

    @property
    def remote(self) -> bool:
        """Tell whether the records themselves carry their hashes."""
        return self.state == REMOTE

    @property
    def alike(self) -> str:
        """Return by which terms near-duplicates are told, as a text."""
        return f"{self.near_dups}:{self.radius}"

    @property
    def left_out(self) -> frozenset[str]:
        """Return the fields of a record that are none of its metadata."""
        return IMAGE_FIELDS | {"_id", self.remote_field}

    @property
    def counted(self) -> frozenset[str] | None:
        """Return the only fields of a record that count; None for all."""
        fields = self.options.fields
        return None if fields is None else frozenset(fields) | {self.version_field or "_id"}

    def metadata(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a record that count and that `update` can change."""
        return metadata_of(record, self.left_out, self.counted)

    @property
    def folder(self) -> Path | None:
        """Return where passing files go: beside the state, for it has room; None for anywhere."""
        return self.state.parent if isinstance(self.state, Path) else None
