"""RS-RR, model v2."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v2.codes import Delai
from regulation_sdk.messages.v2.codes3 import ReponseDemande
from regulation_sdk.typing import NotRequired, Unpack


class Response(TypedDict):
    """Réponse à la demande de ressources"""
    datetime: str  # Date Heure de réponse
    answer: ReponseDemande  # Réponse
    deadline: NotRequired[Delai]  # Délai d'intervention
    freetext: NotRequired[str]  # Précisions sur la réponse

class ResourcesResponse(TypedDict):
    """Réponse à une demande de ressources"""
    caseId: str  # Identifiant affaire/dossier
    requestId: str  # ID Demande partagé
    response: Response  # Réponse à la demande de ressources

def message(use_case: ResourcesResponse, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-RR in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("resourcesResponse", use_case, sender=sender, recipient=recipient, **options)
