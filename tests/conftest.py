"""What all tests share: silent logs, and a world that is the same for each."""

import pytest
import structlog


@pytest.fixture(autouse=True)
def _silent_logs() -> None:
    """No test prints log lines; one that wants them configures its own."""
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger("critical"),
        cache_logger_on_first_use=False,
    )
