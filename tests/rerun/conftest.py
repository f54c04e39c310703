"""Real runs in a directory of their own, to be run again."""

from tests.agent.conftest import site as site
