"""`demo`: everything once, on a catalog that is made on the spot."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

import asyncio
import shutil
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from attrs import define, field, frozen
from typer import Argument, Option

from ximilar_async import bulk
from ximilar_async._models import SearchAnswer
from ximilar_async.bulk import ExitCode, Options, Outcome, Report, Result
from ximilar_async.client import Ximilar
from ximilar_async.pages import counted

from .connect import an_extra, check_unused, open_emulator
from .failures import UsageError
from .options import ACTION, Output
from .pages import demo_page
from .progress import bar_view, live, ticking
from .runs import conclude, follow
from .screen import put, put_json, say
from .search import matches_json
from .signals import Signals, run
from .tables import matches_view, report_view

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ximilar_async.demo import Catalog

EXAMPLES: Final = """
[bold]Examples[/bold]
  ximilar-async demo
  ximilar-async demo /tmp/shop --products 60

It renders product images (exact copies, near-duplicates, a damaged file and one of a format that \
is refused among them), starts the emulator, inserts the images through the HTTP client, searches \
with an image that is not among them, and writes a page to look at.
"""

FOLDER: Final = Path("ximilar-demo")

_CATALOG, _EMULATOR = "catalog", "emulator"
_MARK: Final = ".ximilar-demo"
_PAGE: Final = "demo.html"
_NEAREST: Final = 12


def demo(
    folder: Annotated[
        Path, Argument(metavar="FOLDER", help="Where to; an earlier demo there is replaced.")
    ] = FOLDER,
    *,
    products: Annotated[
        int,
        Option(metavar="N", min=12, help="How many products to make.", rich_help_panel=ACTION),
    ] = 240,
    seed: Annotated[
        int,
        Option(metavar="N", help="Another number, another catalog.", rich_help_panel=ACTION),
    ] = 7,
    open_page: Annotated[
        bool,
        Option(
            "--open/--no-open",
            metavar="",
            help="Open the page in a browser.",
            rich_help_panel=ACTION,
        ),
    ] = False,
    output: Output,
) -> int:
    """Make a catalog, insert it into an emulator, search it, and write a page to look at."""
    with an_extra():  # before anything is made
        import ximilar_async.demo  # noqa: F401, PLC0415 - only to see whether it is there
    plan = Plan(folder, products, seed, output)
    code = run(lambda signals: _show(plan, signals))
    if open_page and code == ExitCode.DECIDED:
        webbrowser.open(plan.page.resolve().as_uri())
    return code


@frozen
class Plan:
    """What the demo is to do."""

    folder: Path
    products: int
    seed: int
    output: Output

    @property
    def page(self) -> Path:
        """Return the path of the page."""
        return self.folder / _PAGE


@define
class Findings:
    """The results that the page shows, as they come."""

    results: list[Result] = field(factory=list)

    def take(self, result: Result) -> None:
        """Keep a result, if the page shows such ones."""
        if result.outcome in (Outcome.NEAR_DUPLICATE, Outcome.REJECTED):
            self.results.append(result)

    @property
    def refused(self) -> set[str | None]:
        """Return the ids of the records that were refused."""
        return {result.id for result in self.results if result.outcome is Outcome.REJECTED}


async def _show(plan: Plan, signals: Signals) -> int:
    start_afresh(plan.folder)
    findings = Findings()
    async with (
        open_emulator(path=plan.folder / _EMULATOR) as emulator,
        Ximilar("any", base_url=emulator.url) as client,
    ):
        catalog = await make(plan)
        say(f"made {counted(catalog.count, 'record')} in {catalog.folder}", plan.output)
        collection = client.collection("demo")
        # One after the other: near-duplicates that are under way at once do not see each other.
        options = Options(workers=1, on_result=findings.take)
        job = bulk.near_dups_insert(collection, catalog.records_path, options=options)
        report = await follow(job, "insert", plan.output, signals)
        if report.stop is not None:
            return conclude(report, plan.output, signals)
        answer = await collection.visual_knn(
            dict(catalog.query_record), k=_NEAREST, fields_to_return=["*"]
        )
    page = await asyncio.to_thread(demo_page, catalog, report, findings.results, answer.matches)
    plan.page.write_text(page, encoding="utf-8")
    conclude_demo(plan, report, answer)
    return exit_code(report, catalog, findings)


def start_afresh(folder: Path) -> None:
    """Empty a folder that an earlier demo made, or make a new one.

    Raises:
        UsageError: something else is in it, or an emulator runs on it.
        OSError: it cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is a file: name a folder")
    mark = folder / _MARK
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise UsageError(
            f"the folder {str(folder)!r} holds something that no demo made: name another one"
        )
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    check_unused(folder / _EMULATOR)
    for part in (_CATALOG, _EMULATOR):
        shutil.rmtree(folder / part, ignore_errors=True)


@define
class Making:
    """How far the catalog is; told by the thread that makes it."""

    done: int = 0
    total: int = 0
    leaving: bool = False
    """Set when nobody waits for the catalog any more."""
    began: float = field(factory=time.monotonic)

    def note(self, done: int, total: int) -> None:
        """Note how many images there are, of how many.

        Raises:
            InterruptedError: nobody waits for them any more.
        """
        self.done, self.total = done, total
        if self.leaving:
            raise InterruptedError

    def picture(self) -> "RenderableType":
        """Return what to show."""
        share = self.done / self.total if self.total else None
        elapsed = time.monotonic() - self.began
        return bar_view("make images", share, elapsed, counted(self.done, "image"))


async def make(plan: Plan) -> "Catalog":
    """Render the catalog in a thread, and show how far it is."""
    from ximilar_async.demo import make_catalog  # noqa: PLC0415 - an extra

    making = Making()
    with live(plan.output) as show:
        async with ticking(lambda: show(making.picture())):
            try:
                return await asyncio.to_thread(
                    make_catalog,
                    plan.folder / _CATALOG,
                    products=plan.products,
                    seed=plan.seed,
                    on_image=making.note,
                )
            finally:
                making.leaving = True


def conclude_demo(plan: Plan, report: Report, answer: SearchAnswer) -> None:
    """Print what was found, what was done, and where the page is."""
    if plan.output.json:
        put_json(
            {
                "report": report.to_dict(),
                "matches": matches_json(answer.matches),
                "page": str(plan.page),
            }
        )
        return
    put("nearest to the query image:")
    put(matches_view(answer.matches))
    put(report_view(report))
    put(f"page: {plan.page}")


def exit_code(report: Report, catalog: "Catalog", findings: Findings) -> int:
    """Return 0 if just those records were refused that the catalog has for that purpose."""
    left = report.failed + report.not_attempted
    if findings.refused == set(catalog.refused) and not left:
        return ExitCode.DECIDED
    return int(report.exit_code)
