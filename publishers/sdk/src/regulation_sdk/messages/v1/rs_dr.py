"""RS-DR, model v1."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v1.codes import Cadre, Delai
from regulation_sdk.messages.v1.codes2 import Effet, EtatDemande
from regulation_sdk.typing import NotRequired, Unpack


class Request(TypedDict):
    """Demande de ressource"""
    requestId: str  # ID Demande partagé
    datetime: str  # Date Heure de création de la demande
    convention: NotRequired[Cadre]  # Cadre conventionnel
    purpose: Effet  # Effet à obtenir
    deadline: NotRequired[Delai]  # Délai souhaité
    freetext: NotRequired[str]  # Précisions sur la demande

class ResourcesRequest(TypedDict):
    """Demande de ressources"""
    caseId: str  # Identifiant affaire/dossier
    request: Request  # Demande de ressource
    status: NotRequired[EtatDemande]  # Etat annulation

def message(use_case: ResourcesRequest, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-DR in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("resourcesRequest", use_case, sender=sender, recipient=recipient, **options)
