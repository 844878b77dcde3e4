"""How many examples hypothesis tries: moderately many as a rule, very many when asked to.

`pytest --hypothesis-profile=thorough --timeout=0 tests/bulk/test_reconcile.py` tries 20,000, where
a test does not say otherwise; so does HYPOTHESIS_PROFILE=thorough.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "thorough",
    max_examples=20_000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("moderate", deadline=None)  # how long one takes, the machine decides
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "moderate")
