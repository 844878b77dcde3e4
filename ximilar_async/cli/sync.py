"""`sync`: a collection brought in line with a catalog, by the fewest requests, or not at all."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

from pathlib import Path
from typing import Annotated, Any, Final

from attrs import evolve
from typer import Argument

from ximilar_async.sources import open_source

from .failures import UsageError
from .ids import local_path
from .mapping_options import NOTES, Mapped
from .options import Access, Output, Place
from .reading import Delimiter, Encoding, FormatOption
from .run_files import run_files
from .run_options import EXIT_CODES, Insertion, Run
from .sync_options import (
    AllowDelete,
    AllowLostFields,
    AllowNewCatalog,
    Apply,
    MaxDeletions,
    ModeOption,
    NearDups,
    PlanFile,
    PriceDelete,
    PriceInsert,
    PriceNearDups,
    Prices,
    PriceUpdate,
    RemoteField,
    StateOption,
    VersionField,
    read_state,
)
from .sync_run import Order, carry_out

EXAMPLES: Final = (
    """
[bold]Examples[/bold]
  ximilar-async sync catalog.jsonl -c shoes-id --mode mirror --dry-run
  ximilar-async sync catalog.jsonl -c shoes-id --mode mirror --state shoes.state
  ximilar-async sync catalog.csv.gz -c shoes-id --map id=sku --map image=photo_url
  ximilar-async sync s3://shop/catalog.parquet -c shoes-id --state remote --version-field etag
  ximilar-async sync catalog.jsonl -c shoes-id --dry-run --plan tonight.plan
  ximilar-async sync --apply tonight.plan -c shoes-id
  ximilar-async sync photos/ -c c1 --emulator data/

New records are inserted; where fields changed, the record is updated, fields that went away \
removed; where the image changed, it is deleted and inserted again; with --mode mirror what is \
gone is deleted, last. Interrupted anyhow and started again it goes on; run twice, the second run \
sends no write. The state file says what is stored: keep it, and use one for each collection.

Refused, with nothing sent: an empty SOURCE, one without any id that is stored, more deletions \
than --max-deletions, a field that goes away in most stored records. A SOURCE that broke off \
deletes nothing.
"""
    + NOTES
    + EXIT_CODES.replace("rejected or failed", "rejected, failed or not deleted")
)


_DEFAULTS: Final = {
    "mode": "upsert",
    "near_dups": False,
    "version_field": None,
    "max_deletions": "5%",
    "allow_delete": False,
    "allow_new_catalog": False,
    "allow_lost_fields": False,
    "remote_field": "ximilar_async_sync",
    "near_dup_order": "any",
}
"""Settings that a plan holds: beside --apply none of them is to be said."""


_SENT: Final = ("radius", "near_dup_order", "near_dup_group", "fields")
"""What a plan holds of how records are brought in."""


def sync(
    source: Annotated[
        str | None,
        Argument(
            metavar="SOURCE",
            help="The whole catalog: a file of records (.jsonl, .json, .csv, .tsv, .parquet or "
            ".arrow, also with .gz or .zst) or a folder of images; a path or an address.",
            show_default=False,
        ),
    ] = None,
    *,
    mode: ModeOption = "upsert",
    near_dups: NearDups = False,
    version_field: VersionField = None,
    plan: PlanFile = None,
    apply: Apply = None,
    state: StateOption = None,
    remote_field: RemoteField = "ximilar_async_sync",
    max_deletions: MaxDeletions = "5%",
    allow_delete: AllowDelete = False,
    allow_new_catalog: AllowNewCatalog = False,
    allow_lost_fields: AllowLostFields = False,
    price_insert: PriceInsert = None,
    price_update: PriceUpdate = None,
    price_delete: PriceDelete = None,
    price_near_dups: PriceNearDups = None,
    format: FormatOption = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    mapped: Mapped,
    insertion: Insertion,
    run: Run,
    place: Place,
    access: Access,
    output: Output,
) -> int:
    """Bring a collection in line with a catalog by the fewest requests, or say why not."""
    prices = Prices(
        insert=price_insert, update=price_update, delete=price_delete, near_dups=price_near_dups
    )
    settings = {
        "mode": mode,
        "near_dups": near_dups,
        "version_field": version_field,
        "max_deletions": max_deletions,
        "allow_delete": allow_delete,
        "allow_new_catalog": allow_new_catalog,
        "allow_lost_fields": allow_lost_fields,
        "remote_field": remote_field,
    }
    said = {"format": format, "encoding": encoding, "delimiter": delimiter}
    _check_together(source, plan, apply, prices, run)
    if apply is not None:
        sent = {name: getattr(insertion, name) for name in _SENT}
        _check_alone(settings | sent | said, mapped)
    insertion.check("--near-dups", near_dups=near_dups)
    files = {"--plan": plan, "--apply": apply}
    with run_files(run, _checked_files(source, mapped, files, state), "sync", mode=mode):
        records, title = None, "" if apply is None else apply.name
        if source is not None:
            records = mapped.of_records(
                open_source(source, format=format, encoding=encoding, delimiter=delimiter)
            )
            title = records.name
        return carry_out(
            Order(
                title=f"sync {title}",
                source=records,
                plan=plan,
                apply=apply,
                state=state,
                settings=settings | {"radius": insertion.radius},
                options=insertion.applied(evolve(run.options, dry_run=False)),
                prices=prices,
                run=run,
                place=place,
                access=access,
                output=output,
            )
        )


def _check_together(
    source: str | None, plan: Path | None, apply: Path | None, prices: Prices, run: Run
) -> None:
    """See that what was asked for goes together.

    Raises:
        UsageError: it does not.
    """
    if source is None and apply is None:
        raise UsageError("no SOURCE: name the catalog, or a plan to carry out with --apply")
    if source is not None and apply is not None:
        raise UsageError("--apply carries out a plan as it stands: leave SOURCE out")
    if apply is not None and run.dry_run:
        raise UsageError("--apply and --dry-run exclude each other: give the one that you mean")
    if not run.dry_run and plan is not None:
        raise UsageError("--plan goes with --dry-run: it writes what would be done")
    if not run.dry_run and prices.said:
        raise UsageError("--price-insert and the like go with --dry-run: it reckons with them")


def _check_alone(said: dict[str, Any], mapped: Mapped) -> None:
    """See that nothing is said beside --apply that its plan holds.

    Raises:
        UsageError: something is.
    """
    options = [name for name, value in said.items() if value != _DEFAULTS.get(name)]
    options += ["map"] if mapped.mapping is not None else []
    if options:
        name = options[0].replace("_", "-")
        raise UsageError(f"--{name} is in the plan already: leave it out with --apply")


def _checked_files(
    source: str | None, mapped: Mapped, files: dict[str, Path | None], state: str | None
) -> dict[str, Path | None]:
    """Return the files that only a sync has with what it reads; see whether they can be.

    Raises:
        UsageError: they cannot.
    """
    path = None if source is None else local_path(source)
    kept = None if state is None else read_state(state)
    written = {**files, "--state": kept if isinstance(kept, Path) else None}
    for name, file in files.items():
        if file is not None and file.is_dir():
            raise UsageError(f"{name} {str(file)!r} is a folder: name a file")
        if file is not None and not file.parent.is_dir():
            raise UsageError(f"{name}: there is no folder {str(file.parent)!r}")
    return {"SOURCE": path, "--config": mapped.config, **written}
