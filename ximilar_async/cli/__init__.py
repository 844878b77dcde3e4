"""The command line (extra `cli`): parsing and printing only."""

from __future__ import annotations

from .app import app, run

__all__ = ["app", "run"]
