"""`--install-completion` makes bash, zsh and fish complete commands and options."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from consoles import command_folder

from ximilar_async import Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BASH = r"""
complete=$(complete -p ximilar-async | sed 's/.*-F \([^ ]*\).*/\1/')
COMP_WORDS=(ximilar-async ins) COMP_CWORD=1
$complete ximilar-async; echo "${COMPREPLY[@]}"
COMP_WORDS=(ximilar-async insert --jou) COMP_CWORD=2
$complete ximilar-async; echo "${COMPREPLY[@]}"
COMP_WORDS=(ximilar-async insert -s ph) COMP_CWORD=3
$complete ximilar-async; echo "${COMPREPLY[@]}"
COMP_WORDS=(ximilar-async insert --service "") COMP_CWORD=3
$complete ximilar-async; echo "${COMPREPLY[@]}"
"""
FISH = """
complete -C "ximilar-async ins"; complete -C "ximilar-async insert --jou"
complete -C "ximilar-async insert -s ph"; complete -C "ximilar-async insert --service "
"""
# What a Tab would evaluate: zsh itself completes only in a terminal.
ZSH = r"""
print $_comps[ximilar-async]
ask() { _TYPER_COMPLETE_ARGS="$1" _XIMILAR_ASYNC_COMPLETE=complete_zsh ximilar-async; }
ask 'ximilar-async ins'
ask 'ximilar-async insert --jou'
ask 'ximilar-async insert -s ph'
ask 'ximilar-async insert --service '
"""
SERVICES = [service.name.lower() for service in Service]
DONE = ["insert", "--journal", "photos", *SERVICES]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Return what runs a shell in a home of its own, where `ximilar-async` is found."""
    path = f"{command_folder(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}"
    kept = {name: text for name, text in os.environ.items() if name in ("LANG", "TMPDIR")}
    environment = {**kept, "PATH": path, "HOME": str(tmp_path), "TERM": "dumb"}

    def run(*words: str) -> str:
        if shutil.which(words[0]) is None:
            pytest.skip(f"no {words[0]} here")
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=tmp_path,
            env=environment,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def _install(run: Callable[..., str], shell: str, file: Path) -> None:
    said = run(shell, "-c", "ximilar-async --install-completion; true")
    assert f"{shell} completion installed in {file}" in said
    assert file.is_file()


def test_bash_completes(run: Callable[..., str], tmp_path: Path) -> None:
    """In bash commands, options and services are completed."""
    _install(run, "bash", tmp_path / ".bash_completions/ximilar-async.sh")
    script = f'source "{tmp_path}/.bashrc"\n{BASH}'
    assert run("bash", "-c", script).split() == DONE


def test_zsh_completes(run: Callable[..., str], tmp_path: Path) -> None:
    """A new zsh knows the completion, which completes commands, options and services."""
    _install(run, "zsh", tmp_path / ".zfunc/_ximilar-async")
    function, *said = run("zsh", "-i", "-c", ZSH).splitlines()
    assert function == "_ximilar-async"
    assert re.findall(r'"(\S+)":"', "\n".join(said)) == DONE


def test_fish_completes(run: Callable[..., str], tmp_path: Path) -> None:
    """In fish commands and options are completed, each with what it is for; so are services."""
    _install(run, "fish", tmp_path / ".config/fish/completions/ximilar-async.fish")
    lines = run("fish", "-c", FISH).splitlines()
    assert sorted(line.partition("\t")[0] for line in lines) == sorted(DONE)
    assert all(line.partition("\t")[2] for line in lines)
