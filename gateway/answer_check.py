"""May this sender give this answer? Only the recipient of a message answers it."""

from gateway.edxl import facts
from gateway.errors import ErrorKind, Issue
from gateway.hub import origin_of
from gateway.model import Message
from gateway.runtime import Runtime

BODY = "content[0].jsonContent.embeddedJsonContent.message"


async def issues(runtime: Runtime, message: Message) -> tuple[Issue, ...]:
    """What speaks against an RC-REF or RS-ERROR; nothing for any other type, for which the store is not asked.

    An error (403) where the message that it names is known and was for others, a warning where that message is not known.
    Raises Unavailable (503).
    """
    answered = facts.refers_to(message)
    sender, sent_by = message.envelope.sender_id, message.envelope.address
    if not (answered and sender and sent_by):
        return ()  # another type, or absent: validation's matter
    recipients = await _recipients(runtime, answered, sent_by)
    known = bool(recipients)
    if not known:  # it may be addressed to another id of the same software
        recipients = await _recipients(runtime, answered, "")
    named = f"{answered[:80]!r} of {sent_by[:80]!r}"
    if recipients and sender not in recipients:
        text = f"The message {named} was not for {sender[:80]!r}. Only the recipient of a message answers it: check both ids."
        return (_issue(message, text, "error"),)
    if known:
        return ()
    text = f"No message {named} is known here. The answer is accepted; check the id, which names a message that its recipient sent."
    return (_issue(message, text, "warning"),)


async def _recipients(runtime: Runtime, distribution_id: str, sent_by: str) -> frozenset[str]:
    """For whom a message of `sent_by` ("" = of anybody) was, or else the one that it was derived from; empty where neither is known."""
    inboxes = [one.id for one in runtime.registry.current.publishers if one.inbox_for]
    found = await runtime.store.recipients(distribution_id, sent_by, inboxes)
    origin = "" if found else origin_of(distribution_id)
    return await runtime.store.recipients(origin, sent_by, inboxes) if origin else found


def _issue(message: Message, text: str, severity: str) -> Issue:
    path = f"{BODY}.{message.root_key}.{facts.REFERENCES[message.message_type]}"
    pointer = "/" + path.replace(".", "/").replace("[", "/").replace("]", "")
    return Issue(ErrorKind.SENDER, text, path, pointer, severity)
