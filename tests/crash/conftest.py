"""The counter picture for crash tests."""

from tests.recorder.conftest import counter, home  # noqa: F401 - fixtures
