"""The way to the national core: connectors behind one small interface."""

from typing import Protocol


class Core(Protocol):
    """A connector to the national core."""

    async def send(self, bundle: bytes) -> None:
        """Hand over one canonical Bundle (UTF-8 JSON). Returns when the core has it.

        Raises CoreRejected where the core refuses it for good, CoreOutage where it gave no verdict.
        """
