"""Bring a collection in line with a catalog: difference, plan, execution, state."""

from __future__ import annotations

from .api import apply_plan, plan_sync, sync
from .difference import Mode
from .job import SyncJob
from .plan import SyncPlan
from .report import SyncReport

__all__ = ["Mode", "SyncJob", "SyncPlan", "SyncReport", "apply_plan", "plan_sync", "sync"]
