"""Bring whole catalogs into a collection, and know what became of every record.

`insert`, `near_dups_insert`, `update`, `delete` and `get` take a list, an iterable, an async
iterable, the path of a JSONL file or of a folder of images; they cut it into requests of 10
records, keep several under way within the client's limits, and return a `Report` whose counts sum
to the records read. `sync` brings a collection in line with a whole catalog,
`export` writes one to a file, `duplicates` finds what is in it twice.
"""

from ._duplicates import Duplicates, duplicates
from ._export import ExportReport, export
from ._job import Job
from ._options import Options
from ._origin import Origin
from ._outcomes import Outcome, Result
from ._records import delete, get, insert, near_dups_insert, replay, update
from ._report import ExitCode, Report, Stop
from ._searches import near_duplicates, visual_knn
from ._series import Period, Point, Timeline
from ._sync import Mode, SyncJob, SyncPlan, SyncReport, apply_plan, plan_sync, sync
from ._writer import Writer

__all__ = [
    "Duplicates",
    "ExitCode",
    "ExportReport",
    "Job",
    "Mode",
    "Options",
    "Origin",
    "Outcome",
    "Period",
    "Point",
    "Report",
    "Result",
    "Stop",
    "SyncJob",
    "SyncPlan",
    "SyncReport",
    "Timeline",
    "Writer",
    "apply_plan",
    "delete",
    "duplicates",
    "export",
    "get",
    "insert",
    "near_duplicates",
    "near_dups_insert",
    "plan_sync",
    "replay",
    "sync",
    "update",
    "visual_knn",
]
