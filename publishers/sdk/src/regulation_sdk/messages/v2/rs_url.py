"""RS-URL, model v2."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.typing import NotRequired, Unpack


class Document(TypedDict):
    """Documents"""
    documentType: NotRequired[str]  # Type de document
    url: str  # URL

class DocumentLink(TypedDict):
    """Lien vers un document"""
    caseId: str  # Identifiant partagé du dossier de régulation médicale (DRM)
    patientId: NotRequired[str]  # Identifiant partagé du patient
    document: list[Document]  # Documents

def message(use_case: DocumentLink, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-URL in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("documentLink", use_case, sender=sender, recipient=recipient, **options)
