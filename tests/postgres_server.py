"""A real PostgreSQL server for tests."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench import postgres
from bench.postgres import Server as PostgresServer

__all__ = ["PostgresServer", "started"]


@contextmanager
def started() -> Iterator[PostgresServer]:
    """A server that is gone at the end. Skips the test where it cannot start."""
    try:
        with postgres.server() as running:
            yield running
    except postgres.NoServer as error:
        pytest.skip(str(error))
