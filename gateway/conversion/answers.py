"""An RC-REF in a model version that has no `step`: a refusal stays a refusal, and nothing becomes an acknowledgement. Pure."""

from gateway import edxl
from gateway.errors import NotApplicable
from gateway.model import JsonObject, Message
from gateway.validation.place import MESSAGE, simple_path
from schemas.fields import table

REFUSES = "step ERREUR refuses, and the version says that by refused alone"
DELETED = (
    "the version cannot say that a file was deleted, and without that word it would be an acknowledgement"
)


def without_step(message: Message, version: str) -> tuple[Message, tuple[JsonObject, ...]]:
    """The RC-REF as the version may say it, and the report of a `refused` that was said otherwise; any other message, or one
    for a version with `step`, as it is.

    Raises NotApplicable for a step SUPPRIME without refusal: the version has no form for it.
    """
    step, refused = message.body.get("step"), message.body.get("refused")
    if message.message_type != "RC-REF" or step is None or table("RC-REF", version).root.child("step"):
        return message, ()
    if step == "SUPPRIME" and not refused:
        raise NotApplicable(DELETED, "content[0]")
    if step != "ERREUR" or refused:
        return message, ()
    body = {**message.body, "refused": True}
    inner = {"message": {**message.header, message.root_key: body}}
    content = [{"jsonContent": {"embeddedJsonContent": inner}}]
    made = edxl.message({**message.document, "content": content}, message.model_version)
    place = simple_path((*MESSAGE, message.root_key, "refused"))
    report = {"path": place, "target": place, "reason": f"RC-REF {version}: {REFUSES}"}
    return made, (report,) if refused is False else ()
