"""From words to values: `--emulator` without a value, shared options, filters and queries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.bulk import Options
from ximilar_async.cli.app import app
from ximilar_async.cli.argv import EMULATOR, swallowed, with_emulator_value
from ximilar_async.cli.commands import as_command
from ximilar_async.cli.failures import UsageError
from ximilar_async.cli.options import Access, Output, Place, read_concurrency
from ximilar_async.cli.run_options import Insertion, Run
from ximilar_async.cli.search import query_record, read_filter
from ximilar_async.images import ImageOptions


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        (["count", "--emulator"], ["count", "--emulator="]),
        (["count", "--emulator", "-q"], ["count", "--emulator=", "-q"]),
        (["count", "--emulator", "data", "-q"], ["count", "--emulator", "data", "-q"]),
        (["count", "--emulator=data"], ["count", "--emulator=data"]),
        (["export", "--emulator", "-"], ["export", "--emulator=", "-"]),
        (["search", "--emulator", "--", "x"], ["search", "--emulator=", "--", "x"]),
        (["search", "--", "--emulator"], ["search", "--", "--emulator"]),
        (["emulator", "data"], ["emulator", "data"]),
    ],
)
def test_emulator_without_a_folder_gets_an_empty_value(
    words: list[str], expected: list[str]
) -> None:
    """The word behind it is its folder, unless that is an option or nothing."""
    assert with_emulator_value(words) == expected


WORDS = st.lists(st.sampled_from([EMULATOR, "--", "-", "-c", "--json", "data", ""]))


@given(WORDS)
def test_nothing_else_is_changed(words: list[str]) -> None:
    """However the words stand, only `--emulator` itself is ever replaced, and doing so is final."""
    done = with_emulator_value(words)
    changed = [(old, new) for old, new in zip(words, done, strict=True) if old != new]
    assert set(changed) <= {(EMULATOR, f"{EMULATOR}=")}
    assert with_emulator_value(done) == done


def test_the_swallowed_word_is_found() -> None:
    """A folder that was meant for something else can be named; an option is none."""
    assert swallowed(["insert", "--emulator", "photos", "-q"]) == "photos"
    assert swallowed(["insert", "--emulator", "-q", "photos"]) is None
    assert swallowed(["insert", "--emulator"]) is None


def _values(*words: str) -> dict[str, Any]:
    """Return what a command with all shared options gets for some words."""
    got: dict[str, Any] = {}

    def command(
        name: Annotated[str, typer.Argument()],
        *,
        times: Annotated[int, typer.Option()] = 1,
        place: Place,
        access: Access,
        output: Output,
    ) -> int:
        """Do it."""
        got.update(name=name, times=times, place=place, access=access, output=output)
        return 5

    one = typer.Typer()
    one.command()(as_command(command))
    got["code"] = one(args=list(words), standalone_mode=False)
    return got


def test_shared_options_are_unfolded_and_put_together_again() -> None:
    """A command gets its own options and each shared group as one value."""
    got = _values("x", "--times", "3", "-c", "c1", "--rate", "2.5", "--concurrency", "4", "--json")
    assert (got["name"], got["times"], got["code"]) == ("x", 3, 5)
    assert got["place"] == Place(collection="c1", service="photos")
    assert got["access"] == Access(rate=2.5, concurrency=4)
    assert got["output"] == Output(json=True)
    assert (got["access"].limits.rate, got["access"].limits.concurrency) == (2.5, 4)


def test_the_defaults_are_those_of_the_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without words a group is what its class makes of nothing; a variable fills the collection."""
    monkeypatch.setenv("XIMILAR_COLLECTION", "from-env")
    got = _values("x")
    assert got["place"] == Place(collection="from-env")
    assert (got["access"], got["output"]) == (Access(), Output())


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "AUTO", "²", "many"])
def test_concurrency_is_a_count_or_auto(text: str) -> None:
    """Anything else is refused with the value in the message."""
    with pytest.raises(typer.BadParameter, match="at least 1, or auto"):
        read_concurrency(text)


def test_every_command_explains_itself() -> None:
    """Each command has a sentence, an example, and a help text for each of its options."""
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        assert command.help, name
        assert f"ximilar-async {name}" in command.epilog, name
        silent = [param.name for param in command.params if not getattr(param, "help", None)]
        assert silent == [], name


def test_the_command_line_keeps_the_defaults_of_bulk() -> None:
    """What is not given on the command line is what `bulk.Options` would take."""
    group: Any = typer.main.get_command(app)
    for name in ("insert", "update", "delete", "replay"):
        defaults = {param.name: param.default for param in group.commands[name].params}
        options = Options()
        assert defaults["give_up_after"] == options.retry.deadline
        assert defaults.get("max_side", 512) == ImageOptions().max_side
        same = {"batch_size", "durability", "attribution", "near_dup_order", "deadline", "dry_run"}
        for option in same & defaults.keys():
            assert defaults[option] == getattr(options, option), option
    assert Run().options == options
    assert Insertion().applied(options) == evolve(options, images=ImageOptions())


def test_what_is_given_reaches_bulk() -> None:
    """Every option of a run has its place in `bulk.Options`; a dry run has no journal."""
    run = Run(
        journal=Path("j"), durability="strict", rejects=Path("r"), batch_size=3, max_records=9,
        give_up_after=5.0, deadline=60.0, error_budget=0.05,
    )  # fmt: skip
    options = Insertion(attribution="exact", near_dup_order="grouped", near_dup_group="p").applied(
        run.options
    )
    assert (options.journal, options.durability, options.rejects) == (
        Path("j"),
        "strict",
        Path("r"),
    )
    assert (options.batch_size, options.max_records, options.retry.deadline) == (3, 9, 5.0)
    assert (options.deadline, options.error_budget, options.attribution) == (60.0, 0.05, "exact")
    assert (options.near_dup_order, options.near_dup_group) == ("grouped", "p")
    assert evolve(run, dry_run=True).options.journal is None
    assert Insertion(max_side=0).applied(options).images == ImageOptions(max_side=None)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('{"a": }', "character 7:"),
        ('{"a": 1', 'at character 8: {"a": 1 >>> the end'),
        ("", "character 1"),
        ("5", "must be an object"),
    ],
)
def test_a_filter_that_is_none_is_shown_where_it_breaks(text: str, part: str) -> None:
    """The message points at the character."""
    with pytest.raises(UsageError) as caught:
        read_filter(text)
    assert part in str(caught.value)


def test_a_query_is_a_file_an_address_or_an_id(tmp_path: Path) -> None:
    """What starts with id: is an id even where a file has that name."""
    file = tmp_path / "a.jpg"
    file.touch()
    assert query_record(str(file)) == {"_file": str(file)}
    assert query_record("HTTPS://example.com/a.jpg") == {"_url": "HTTPS://example.com/a.jpg"}
    assert query_record("id:a b/c:d") == {"_id": "a b/c:d"}
