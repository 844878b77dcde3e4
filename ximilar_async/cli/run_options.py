"""Options of bulk runs, each declared once; see `options`."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from attrs import evolve, frozen
from typer import Option

from ximilar_async.bulk import Options
from ximilar_async.images import ImageOptions

from .failures import UsageError
from .options import (
    ACTION,
    HOW,
    KEPT,
    PROCESSES,
    read_budget,
    read_distance,
    read_positive,
    words_of,
)

EXIT_CODES: Final = """
[bold]Exit codes[/bold]  0 every record is decided, 1 some were rejected or failed, or \
SOURCE broke off, 2 usage, or nothing of SOURCE can be read, 3 token refused, 4 collection full or \
credits spent, 5 service unreachable, 130 and 143 interrupted, 70 the outcomes do not sum up (a \
defect of ours).
"""
"""The end of the help of every command that runs through records."""

_DEFAULTS: Final = Options()
_IMAGES: Final = ImageOptions()


@frozen(kw_only=True)
class Run:
    """How a bulk run is cut up, and what is kept of it."""

    dry_run: Annotated[
        bool,
        Option(
            "--dry-run",
            metavar="",
            help="Read and check everything and send nothing; a journal is left alone.",
            rich_help_panel=ACTION,
        ),
    ] = False
    max_records: Annotated[
        int | None,
        Option(
            metavar="N",
            min=0,
            help="Read no more than so many records.",
            rich_help_panel=ACTION,
        ),
    ] = None
    batch_size: Annotated[
        int, Option(metavar="N", min=1, max=10, help="Records in a request.", rich_help_panel=HOW)
    ] = _DEFAULTS.batch_size
    give_up_after: Annotated[
        Any,
        Option(
            "--give-up-after",
            parser=read_positive,
            metavar="SECONDS",
            help="End when the service has not answered for so long; until then it is tried again.",
            rich_help_panel=HOW,
        ),
    ] = _DEFAULTS.retry.deadline
    deadline: Annotated[
        Any,
        Option(
            "--deadline",
            parser=read_positive,
            metavar="SECONDS",
            help="End after so long, however far it is, as by Ctrl-C.",
            rich_help_panel=HOW,
        ),
    ] = None
    error_budget: Annotated[
        Any,
        Option(
            "--error-budget",
            parser=read_budget,
            metavar="N|N%",
            help="End when more records are rejected or failed: so many, or that share of them, "
            "such as 5%.",
            rich_help_panel=HOW,
        ),
    ] = None
    processes: Annotated[int | None, PROCESSES] = None
    journal: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help="Write down what is sent and decided: the same command goes on where it stopped.",
            rich_help_panel=KEPT,
        ),
    ] = None
    durability: Annotated[
        Literal["relaxed", "strict"],
        Option(
            help="With --journal: relaxed survives a killed process, strict a power failure too, "
            "at a wait for the disk a request.",
            rich_help_panel=KEPT,
        ),
    ] = "relaxed"
    rejects: Annotated[
        Path | None,
        Option(
            metavar="FILE.jsonl",
            help="Append rejected and failed records, as they were read, for `replay`.",
            rich_help_panel=KEPT,
        ),
    ] = None
    report: Annotated[
        list[Path] | None,
        Option(
            metavar="FILE.html|.json",
            help="Write the report: a page to look at, or JSON; given twice, both.",
            rich_help_panel=KEPT,
        ),
    ] = None

    @property
    def reports(self) -> tuple[Path, ...]:
        """Return the files that the report goes to."""
        return tuple(self.report or ())

    @property
    def pace(self) -> list[str]:
        """Return what was said here of how a run goes, as it is typed.

        Example:
            >>> Run(batch_size=5, dry_run=True).pace
            ['--batch-size', '5']
        """
        return words_of(self, "batch_size", "give_up_after", "processes")

    @property
    def options(self) -> Options:
        """Return the same as options of `bulk`."""
        return Options(
            batch_size=self.batch_size,
            retry=evolve(_DEFAULTS.retry, deadline=self.give_up_after),
            # A dry run decides nothing: a journal would take its rejects for decided.
            journal=None if self.dry_run else self.journal,
            durability=self.durability,
            rejects=self.rejects,
            deadline=self.deadline,
            error_budget=self.error_budget,
            dry_run=self.dry_run,
            max_records=self.max_records,
        )


@frozen(kw_only=True)
class Insertion:
    """How records with images are brought in."""

    radius: Annotated[
        Any,
        Option(
            "--radius",
            parser=read_distance,
            metavar="DISTANCE",
            help="Largest distance of a near-duplicate; the service's default is 5.",
            rich_help_panel=ACTION,
        ),
    ] = None
    near_dup_order: Annotated[
        Literal["any", "grouped", "strict"],
        Option(
            help="Which near-duplicates of SOURCE itself are found: any, only those stored before "
            "a request is sent; grouped, those of one group or image too; strict, all, with one "
            "request at a time.",
            rich_help_panel=ACTION,
        ),
    ] = _DEFAULTS.near_dup_order
    near_dup_group: Annotated[
        str | None,
        Option(
            metavar="FIELD",
            help="With --near-dup-order grouped: field that names a record's group, such as the "
            "product; without it records with the same image are a group.",
            rich_help_panel=ACTION,
        ),
    ] = None
    remember_ids: Annotated[
        bool,
        Option(
            "--remember-ids",
            metavar="",
            help="Send no _id again that SOURCE has brought in already; it is already present.",
            rich_help_panel=HOW,
        ),
    ] = False
    fields: Annotated[
        str | None,
        Option(
            metavar="NAMES",
            help="Fields of the records to send, with commas between; _id and image always are.",
            rich_help_panel=HOW,
        ),
    ] = None
    attribution: Annotated[
        Literal["compare", "exact"],
        Option(
            help="How a record is known to be this run's after a lost answer: by comparing its "
            "fields, or exactly, by a field that is added to it (ximilar_async_run).",
            rich_help_panel=HOW,
        ),
    ] = _DEFAULTS.attribution
    max_side: Annotated[
        int,
        Option(
            metavar="PIXELS",
            min=0,
            help="Larger images are shrunk to this side; 0 sends them as they are.",
            rich_help_panel=HOW,
        ),
    ] = _IMAGES.max_side or 0
    files_root: Annotated[
        Path | None,
        Option(
            metavar="FOLDER",
            help="Folder that _file of a record is relative to and must not leave; else the one "
            "that SOURCE is in, or that the rejects file names.",
            rich_help_panel=HOW,
        ),
    ] = None

    def check(self, switch: str, *, near_dups: bool) -> None:
        """See that nothing is said about near-duplicates where they are not looked for.

        Args:
            switch: What turns that on.
            near_dups: Whether it is on.

        Raises:
            UsageError: it is off, and something is.
        """
        said = {
            "--radius": self.radius is not None,
            "--near-dup-order": self.near_dup_order != _DEFAULTS.near_dup_order,
            "--near-dup-group": self.near_dup_group is not None,
        }
        for name, is_said in said.items():
            if is_said and not near_dups:
                raise UsageError(f"{name} goes with {switch}: it says which are left out")
        if self.near_dup_group is not None and self.near_dup_order != "grouped":
            raise UsageError("--near-dup-group goes with --near-dup-order grouped")

    @property
    def words(self) -> list[str]:
        """Return what was said here as it is typed.

        Example:
            >>> Insertion(radius=3.5, remember_ids=True).words
            ['--radius', '3.5', '--remember-ids']
        """
        return words_of(self)

    def applied(self, options: Options) -> Options:
        """Return options of `bulk` with these among them."""
        return evolve(
            options,
            attribution=self.attribution,
            remember_ids=self.remember_ids,
            fields=None if self.fields is None else self.fields.split(","),
            near_dup_order=self.near_dup_order,
            near_dup_group=self.near_dup_group,
            images=ImageOptions(max_side=self.max_side or None),
            files_root=self.files_root,
        )
