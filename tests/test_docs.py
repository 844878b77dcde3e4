"""The documentation is whole: every error, public module, command and page has its place."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import typer
from test_exports import FACES

from ximilar_async import Collection, bulk, errors
from ximilar_async.bulk import ExitCode, Stop
from ximilar_async.cli import app
from ximilar_async.cli.failures import exit_code
from ximilar_async.errors import ApiError, BulkAborted

if TYPE_CHECKING:
    from ximilar_async.errors import XimilarError

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
ERRORS = (DOCS / "errors.md").read_text(encoding="utf-8")
CLASSES: dict[str, type[XimilarError]] = {
    name: vars(errors)[name] for name in errors.__all__ if isinstance(vars(errors)[name], type)
}


def sections(text: str) -> dict[str, str]:
    """Return the text below each heading of the third level."""
    parts = re.split(r"^### (\w+)$", text, flags=re.MULTILINE)
    bodies = (re.split(r"^##? ", body, maxsplit=1, flags=re.MULTILINE)[0] for body in parts[2::2])
    return dict(zip(parts[1::2], bodies, strict=True))


def test_every_error_has_its_section() -> None:
    """The page on errors has a section for each class, and for nothing else."""
    assert sorted(sections(ERRORS)) == sorted(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_every_error_has_cause_and_remedy(name: str) -> None:
    """Each section says what causes the error, and what to do."""
    body = sections(ERRORS)[name]
    assert re.search(r"^\*\*Cause\.\*\* \w", body, re.MULTILINE)
    assert re.search(r"^\*\*Remedy\.\*\* \w", body, re.MULTILINE)


def test_a_section_without_remedy_is_seen() -> None:
    """Sections end where the next begins, also one of a higher level."""
    found = sections("### A\n**Cause.** x\n### B\n**Remedy.** y\n## C\nz\n")
    assert found == {"A": "\n**Cause.** x\n", "B": "\n**Remedy.** y\n"}


def _rows(text: str) -> dict[str, list[str]]:
    found = re.findall(r"^\| \[`(\w+)`\]\(#\w+\) \| (.*?) ?\|$", text, re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in found}


def _example(kind: type[XimilarError]) -> XimilarError:
    return kind(200, 503, "busy") if issubclass(kind, ApiError) else kind("what happened")


@pytest.mark.parametrize("name", CLASSES)
def test_the_table_of_errors_is_true(name: str) -> None:
    """Each row says of its error what the class says, and what the command line exits with."""
    kind = CLASSES[name]
    code = "by its report" if kind is BulkAborted else str(int(exit_code(_example(kind))))
    words = {True: "yes", False: "no"}
    assert _rows(ERRORS)[name] == [words[kind.retryable], words[kind.doubtful], code]


def test_all_ends_of_runs_and_outcomes_are_explained() -> None:
    """The page on errors explains each `Stop` and each `Outcome`."""
    assert [stop for stop in Stop if f"| `Stop.{stop.name}` |" not in ERRORS] == []
    assert [outcome for outcome in bulk.Outcome if f"`{outcome}`" not in ERRORS] == []


def test_all_exit_codes_are_explained() -> None:
    """The page on commands has a row for each exit code."""
    text = (DOCS / "commands/index.md").read_text(encoding="utf-8")
    codes = {
        int(code)
        for cell in re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE)
        for code in cell.split(",")
    }
    assert codes == {*map(int, ExitCode), 143}


@pytest.mark.parametrize("face", [*FACES, "ximilar_async.images", "ximilar_async.emulator.faults"])
def test_every_public_module_is_in_the_reference(face: str) -> None:
    """A page of the reference is made from each module that users import from."""
    pages = [page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md")]
    assert any(f".. automodule:: {face}\n" in page for page in pages)


@pytest.mark.parametrize("page", ["client", "bulk", "sources"])
def test_a_page_in_groups_leaves_no_public_name_out(page: str) -> None:
    """Where names stand in groups, each is in one, and in the table above it."""
    text = (DOCS / "reference" / f"{page}.md").read_text(encoding="utf-8")
    module = importlib.import_module(text.splitlines()[0].strip("# `"))
    shown = re.findall(rf"^\.\. auto\w+:: {module.__name__}\.(\w+)$", text, re.MULTILINE)
    listed = [name for table in text.split(".. autosummary::")[1:] for name in _listed(table)]
    assert listed == shown
    public = {name for name in module.__all__ if not isinstance(vars(module)[name], ModuleType)}
    assert set(shown) | {"Record", "__version__"} == public | {"Record", "__version__"}


def _listed(table: str) -> list[str]:
    """Return the names at the beginning of a text, three spaces deep."""
    return re.findall(r"^   (\w+)$", table.split("\n..", maxsplit=1)[0], re.MULTILINE)


def _toctrees(page: Path) -> list[str]:
    blocks = re.findall(
        r"^```\{toctree\}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    lines = (line for block in blocks for line in block.splitlines())
    return [line for line in lines if line and not line.startswith(":")]


def test_every_page_is_in_a_table_of_contents() -> None:
    """Who reads the site comes to each page by the menu."""
    listed = {
        found.resolve()
        for page in DOCS.rglob("*.md")
        for entry in _toctrees(page)
        for found in page.parent.glob(f"{entry}.md")
    }
    pages = {page.resolve() for page in DOCS.rglob("*.md")} - {(DOCS / "index.md").resolve()}
    assert pages - listed == set()


LLMS = (ROOT / "llms.txt").read_text(encoding="utf-8")


def test_llms_txt_leads_to_files_that_are_there() -> None:
    """Each link of llms.txt names a file of the project."""
    links = re.findall(r"\]\(([^)#]+)\)", LLMS)
    assert [link for link in links if not (ROOT / link).is_file()] == []
    assert len(set(links)) == len(links)


def test_llms_txt_has_the_form_that_is_agreed_upon() -> None:
    """A title, a summary as a quotation, and lists of links each with what stands there."""
    assert re.match(r"# ximilar-async\n\n> \w[^\n]+\n", LLMS)
    items = [line for line in LLMS.splitlines() if line.startswith("- [")]
    assert items
    assert [item for item in items if not re.fullmatch(r"- \[[^\]]+\]\([^)]+\): \S.*", item)] == []


def test_llms_txt_names_every_page() -> None:
    """A machine that reads finds each page, those of commands and modules by their index."""
    pages = {page.relative_to(ROOT).as_posix() for page in DOCS.rglob("*.md")}
    made = {page for page in pages if page.startswith(("docs/reference/", "docs/commands/"))}
    indexes = {"docs/reference/index.md", "docs/commands/index.md"}
    links = set(re.findall(r"\]\(([^)#]+)\)", LLMS))
    assert (pages - made | indexes) - links == set()


def test_nox_shows_the_help_of_every_command() -> None:
    """The session `docs` asks each command for its help."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    values = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    group: Any = typer.main.get_command(app)
    assert sorted(ast.literal_eval(values["COMMANDS"])) == sorted(group.commands)


def _faults(text: str) -> dict[str, list[str]]:
    """Return the first four figures of each row of a table of faults."""
    rows = re.findall(r"^\| ([^|]+?) \|((?: [\d.,]+ \|){4,})", text, re.MULTILINE)
    return {fault: [cell.strip() for cell in cells.split("|")][:4] for fault, cells in rows}


def test_the_figures_of_reliability_are_those_that_were_measured() -> None:
    """Each row of faults stands so in the table that the benchmark made."""
    shown = _faults((DOCS / "reliability.md").read_text(encoding="utf-8"))
    measured = _faults((ROOT / "benchmarks/results/faults_vendor.md").read_text(encoding="utf-8"))
    assert len(shown) >= 6
    assert shown == {fault: measured[fault] for fault in shown}


VENDOR = [
    "all_records_iter",
    "allRecords",
    "get_all_ids",
    "get_records",
    "get_user_details",
    "ImageMatchingSearchClient",
    "insert",
    "parallel_records_processing",
    "ping",
    "preprocess_records",
    "random",
    "remove",
    "search",
    "search_and_rank",
    "SimilarityColorsClient",
    "SimilarityCustomClient",
    "SimilarityFashionClient",
    "SimilarityHomeDecorClient",
    "SimilarityPhotosClient",
    "SimilarityPhotosOldClient",
    "SimilarityProductsClient",
    "SimilarityProductsOldClient",
    "update",
    "update_token",
]
"""What ximilar-client 1.39.0 offers for Visual Search."""


@pytest.mark.parametrize("name", VENDOR)
def test_every_method_of_the_vendor_has_its_successor(name: str) -> None:
    """The page on migration has a row that begins with each method and class."""
    text = (DOCS / "migration.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| ([^|]+) \| [^|]+ \|", text, re.MULTILINE)
    assert any(re.search(rf"`{name}\b", cell) for cell in cells)


def test_migration_leads_to_methods_that_there_are() -> None:
    """Each method that the page names as a successor exists."""
    text = (DOCS / "migration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `[^|]+ \| ([^|]+) \| [^|]* \|$", text, re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`(\w+)\(", row)}
    assert len(names) > 8
    known = {*dir(Collection), "ImageOptions", "Timeout", "Ximilar"}
    assert names - known == set()
