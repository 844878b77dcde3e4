"""`emulator --faults FILE`: a service that fails as the file says, for whoever tests a client."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

FAULTS = """
[[rule]]
fault = "poison"
ids = ["r7"]
status = 400

[[rule]]
fault = "throttled"
methods = "insert"
every = 2
"""


def test_a_run_meets_the_faults_of_the_file(
    start: Callable[..., subprocess.Popen[str]],
    cli: Callable[..., subprocess.CompletedProcess[str]],
    addresses: Callable[[int], Path],
    tmp_path: Path,
) -> None:
    """The poisoned record is rejected, all others get in, and the emulator tells what it did."""
    (tmp_path / "faults.toml").write_text(FAULTS, encoding="utf-8")
    server = start("emulator", "--port", 0, "--json", "--faults", "faults.toml")
    assert server.stdout is not None
    text = "".join(iter(server.stdout.readline, "}\n")) + "}"
    settings = {"XIMILAR_URL": json.loads(text)["url"], "XIMILAR_TOKEN": "any"}
    done = cli("insert", addresses(30), "-c", "c1", "--json", **settings)
    counts: dict[str, Any] = json.loads(done.stdout)["counts"]
    assert (done.returncode, counts["inserted"], counts["rejected"]) == (1, 29, 1)
    server.send_signal(signal.SIGTERM)
    _, err = server.communicate(timeout=30)
    assert server.returncode == 0
    assert "the emulator is closed; faults: " in err
    assert " poison" in err
    assert " 0 throttled" not in err


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("faults.toml", "[[rule]]\nfault = 'nune'", "faults.toml: rule 1: unknown fault 'nune'"),
        ("faults.toml", "[[rule", "faults.toml: "),
        ("faults.txt", "", "ends in .toml or .json"),
        ("faults.json", None, "faults.json: No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_in_a_line(
    cli: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    name: str,
    text: str | None,
    words: str,
) -> None:
    """It exits with 2 before anything listens, and names the file and what is wrong."""
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = cli("emulator", "--port", 0, "--faults", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
