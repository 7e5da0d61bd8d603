"""RS-ERRORs of the gateway as they are kept: in the inbox of a sender that has one here, or to be handed to the core. Pure."""

from gateway import answers, edxl
from gateway.model import Delivery, Publisher, Submission

OWN = "gateway"  # whose messages the gateway's own are in the store; no registration has this id


def delivery(
    publisher: Publisher,
    about: answers.Correspondence,
    now: float,
    hub: tuple[int, str],
    cause: str,
    case_id: str,
) -> Delivery:
    """The RS-ERROR for the inbox of the sender's publisher, in its version and format."""
    document = answers.error(about, now, hub, cause)
    content_type = edxl.FORMATS[publisher.format]
    written = edxl.encode(document, content_type, publisher.model_version)
    return Delivery(
        publisher.id, document["distributionID"], about.sender, about.recipient, "RS-ERROR",
        publisher.model_version, content_type, written.content, case_id, about.refers_to, now, written.lost,
        notify=bool(publisher.webhook), distribution_status=about.status,
    )  # fmt: skip


def submission(
    about: answers.Correspondence, now: float, hub: tuple[int, str], cause: str, version: str
) -> Submission:
    """The RS-ERROR for a sender that is reached through the core, in a model version."""
    document = answers.error(about, now, hub, cause)
    body = edxl.encode(document, edxl.JSON, version).content
    return Submission(
        OWN, document["distributionID"], document["distributionID"].encode(), edxl.JSON, body, "RS-ERROR",
        version, about.sender, about.recipient, "", about.refers_to, urgent=False, quota="ordinary",
        received_at=now, expires_at=now + answers.LIFE,
    )  # fmt: skip
