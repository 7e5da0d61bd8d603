"""A real Valkey server for tests."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench import valkey
from bench.postgres import NoServer


@contextmanager
def started() -> Iterator[valkey.Server]:
    """A server that is gone at the end. Skips the test where it cannot start."""
    try:
        with valkey.server() as server:
            yield server
    except NoServer as error:
        pytest.skip(str(error))
