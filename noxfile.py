"""Everything that is checked before a release: `nox`, or one session with `nox -s tests`."""

from __future__ import annotations

import os
from pathlib import Path

import nox

nox.options.sessions = ["tests", "lint", "typing", "examples", "docs"]
nox.options.error_on_missing_interpreters = False  # whoever has one Python checks with that one
nox.options.reuse_venv = "yes"
nox.needs_version = ">=2024.4.15"

PYTHONS = ["3.11", "3.12", "3.13"]
COMMANDS = [
    "insert",
    "sync",
    "update",
    "delete",
    "replay",
    "search",
    "duplicates",
    "count",
    "ping",
    "account",
    "export",
    "emulator",
    "demo",
    "bench",
]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests against the package as users install it."""
    session.install(".[all,test]")
    session.run("pytest", *(session.posargs or ["-n", "auto"]))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(".[lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types of the package and of code that uses it."""
    session.install("-e", ".[typing]")
    session.run("mypy", "ximilar_async", "tests/typing")
    session.run("mypy", "--strict", "examples")  # by themselves: they are what users copy
    session.run("pyright", "--pythonpath", f"{session.bin}/python")


@nox.session
def examples(session: nox.Session) -> None:
    """Run every example, each in its own folder and without the user's token and address."""
    scripts = sorted(Path("examples").resolve().glob("*.py"))
    if not scripts:
        session.skip("there are no examples yet")
    session.install(".[all]", "fastapi", "httpx", "opentelemetry-sdk", "polars")
    for script in scripts:
        folder = Path(session.create_tmp(), script.stem)
        folder.mkdir(exist_ok=True)
        with session.chdir(folder):
            session.run("python", script, env={"XIMILAR_TOKEN": None, "XIMILAR_URL": None})


@nox.session
def bench(session: nox.Session) -> None:
    """Compare with every other client, in 10 minutes; figures want a quiet machine.

    `nox -s bench -- --long` sends ten million records as well.
    """
    session.install(".[all,bench]")
    session.run("python", "benchmarks/compare.py", *session.posargs)


@nox.session(name="bench-guard")
def bench_guard(session: nox.Session) -> None:
    """Fail if bulk or a single call costs more than it did, measured against a bare loop."""
    session.install(".[all,bench]")
    session.run("python", "benchmarks/guard.py", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Hold the vendor's client and ours against the same faults, a soak and a million records."""
    session.install(".[all,speed]")
    for script in ("soak", "million", "faults_vendor"):  # about 3, 4 and 13 minutes
        session.run("python", f"benchmarks/{script}.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site, run all code and commands in it, follow its links, show every help."""
    session.install(".[all,test,docs]")
    site = Path(session.create_tmp(), "site")
    session.run("sphinx-build", "-W", "--keep-going", "-n", "-E", "-b", "html", "docs", str(site))
    tests = ("readme", "docstrings", "docs", "docs_commands", "docs_completion", "docs_pasted")
    session.run("pytest", *(f"tests/test_{name}.py" for name in tests), *session.posargs)
    for command in [[], *([name] for name in COMMANDS)]:
        session.run("ximilar-async", *command, "--help", silent=not os.environ.get("CI"))
