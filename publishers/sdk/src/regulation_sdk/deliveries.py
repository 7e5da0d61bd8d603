"""Items of the inbox in the reader's hands."""

from collections.abc import Awaitable, Callable
from types import TracebackType

from regulation_sdk.values import Ack, Acknowledgement, InboxItem


class Delivery:
    """An item of the inbox in the reader's hands. As a context manager it acknowledges the item when the block ends well, and
    leaves it in the inbox when the block raises.
    """

    def __init__(self, item: InboxItem, ack: Ack, acknowledge: Callable[[str, Ack], Acknowledgement]) -> None:
        self.item = item
        self.acknowledged: Acknowledgement | None = None
        self._ack = ack
        self._acknowledge = acknowledge

    def ack(
        self, *, step: str | None = None, refused: bool | None = None, reference: bool = True
    ) -> Acknowledgement:
        """Acknowledge now, in another way than the inbox was opened with."""
        self.acknowledged = self._acknowledge(self.item.id, Ack(reference, step, refused))
        return self.acknowledged

    def __enter__(self) -> InboxItem:
        """The item."""
        return self.item

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Acknowledge, unless that was done or the block raised."""
        if kind is None and self.acknowledged is None:
            self.ack(step=self._ack.step, refused=self._ack.refused, reference=self._ack.reference)


class AsyncDelivery:
    """An item of the inbox in the reader's hands. As a context manager it acknowledges the item when the block ends well, and
    leaves it in the inbox when the block raises.
    """

    def __init__(
        self, item: InboxItem, ack: Ack, acknowledge: Callable[[str, Ack], Awaitable[Acknowledgement]]
    ) -> None:
        self.item = item
        self.acknowledged: Acknowledgement | None = None
        self._ack = ack
        self._acknowledge = acknowledge

    async def ack(
        self, *, step: str | None = None, refused: bool | None = None, reference: bool = True
    ) -> Acknowledgement:
        """Acknowledge now, in another way than the inbox was opened with."""
        self.acknowledged = await self._acknowledge(self.item.id, Ack(reference, step, refused))
        return self.acknowledged

    async def __aenter__(self) -> InboxItem:
        """The item."""
        return self.item

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Acknowledge, unless that was done or the block raised."""
        if kind is None and self.acknowledged is None:
            await self.ack(step=self._ack.step, refused=self._ack.refused, reference=self._ack.reference)
