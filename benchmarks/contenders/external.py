"""wrk, a load generator in C: what the machine can do at most, whatever the client."""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from . import HEADERS, body

if TYPE_CHECKING:
    from . import Load, Meter

SECONDS = 1

_SCRIPT = """
wrk.method = "POST"
wrk.body = [[{body}]]
{headers}
done = function(summary)
  io.write(string.format("took %d %d\\n", summary.requests, summary.duration))
end
"""


def installed() -> bool:
    """Tell whether wrk is here."""
    return shutil.which("wrk") is not None


def wrk(load: Load, meter: Meter) -> None:
    """Send one and the same batch for a second; wrk does not look into the answers."""
    content = json.dumps(body(load.records(1)))
    headers = "\n".join(f'wrk.headers["{name}"] = "{text}"' for name, text in HEADERS.items())
    script = Path(load.folder, "post.lua")
    script.write_text(_SCRIPT.format(body=content, headers=headers))
    options = ["-t1", f"-c{load.workers}", f"-d{SECONDS}s", f"-s{script}"]
    for _ in meter.starts(load):
        with meter:
            before = _cpu()
            done = subprocess.run(
                ["wrk", *options, f"{load.endpoint}/insert"],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=60,
            )
            found = re.search(r"^took (\d+) (\d+)$", done.stdout, re.MULTILINE)
            assert found is not None, done.stdout
            seconds = int(found[2]) / 1e6
            meter.note(requests=int(found[1]), seconds=seconds, cpu=_cpu() - before)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
