"""All registrations at one moment, and the holder that replaces them as a whole."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.hub import HUB_ID
from gateway.model import Publisher
from gateway.registry.ids import Ids


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Registry:
    """A snapshot of the registry, made by `of`."""

    publishers: tuple[Publisher, ...]
    _by_id: dict[str, Publisher]
    _by_client_id: dict[str, Publisher]
    _senders: dict[str, Ids[str]]  # publisher id -> the ids among which its own are looked up
    _inboxes: Ids[Publisher]
    _core: Ids[bool]
    warnings: tuple[str, ...]  # what is wrong and stops nothing, each with file and line

    @classmethod
    def of(
        cls,
        publishers: Iterable[Publisher],
        *,
        exclusive_senders: bool = True,
        core_recipients: Iterable[str] = (),
        warnings: Iterable[str] = (),
    ) -> "Registry":
        """The registry of these publishers.

        With `exclusive_senders` an id has one sender: an exact id or a longer pattern is carved out of another
        publisher's pattern. Without, publishers may share ids. `core_recipients` are ids and patterns that the national
        core knows besides the registry.
        """
        known = tuple(publishers)
        senders: dict[str, Ids[str]] = {}
        for group in [known] if exclusive_senders else [(p,) for p in known]:
            ids = Ids((text, p.id) for p in group for text in p.sends_for)
            senders.update((p.id, ids) for p in group)
        return cls(
            known,
            {p.id: p for p in known},
            {p.client_id: p for p in known},
            senders,
            Ids((text, p) for p in known for text in p.inbox_for),
            Ids((text, True) for text in core_recipients),
            tuple(warnings),
        )

    def by_id(self, publisher_id: str) -> Publisher | None:
        """The publisher of this id."""
        return self._by_id.get(publisher_id)

    def by_client_id(self, client_id: str) -> Publisher | None:
        """The publisher of this OAuth2 client id, suspended ones included."""
        return self._by_client_id.get(client_id)

    def sender_allowed(self, publisher: Publisher, sender_id: str) -> bool:
        """Whether the publisher may send for this id. Nobody may for the Hub's own, whatever a pattern covers."""
        ids = self._senders.get(publisher.id)
        return ids is not None and sender_id != HUB_ID and ids.owner(sender_id) == publisher.id

    def recipient_publisher(self, actor_id: str) -> Publisher | None:
        """The publisher whose inbox receives for this id; exact beats pattern, longer pattern beats shorter.

        A suspended publisher keeps its ids: what is sent to it waits in its inbox.
        """
        return self._inboxes.owner(actor_id)

    def is_known(self, recipient: str) -> bool:
        """Whether a message for this id can go anywhere: to a publisher's inbox, or to someone behind the core."""
        return self._inboxes.owner(recipient) is not None or self._core.owner(recipient) is not None


class RegistryHolder:
    """The current snapshot, and the way to the next. Readers take `current` once for each message.

    `findings` says what was wrong with the files at the last reading; empty where `current` is what they say.
    """

    def __init__(self, registry: Registry) -> None:
        self.current = registry
        self.findings: list[str] = []

    def reload(self, load: Callable[[], Registry]) -> None:
        """Swap in what `load` reads. Raises its ConfigurationError, which says why not; the old snapshot then stays."""
        self.current = load()
