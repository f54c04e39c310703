"""What all tests share: hypothesis looks at results and never at a clock, so that a busy machine fails no test.

python -m pytest -n 2 --dist loadfile -m 'not slow and not cluster'
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
