"""RS-SR, model v2."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v2.codes3 import StatutVecteur
from regulation_sdk.typing import NotRequired, Unpack


class State(TypedDict):
    """Etat vecteur"""
    datetime: str  # Date/heure de changement de statut
    status: StatutVecteur  # Statut du vecteur
    availability: NotRequired[bool]  # Disponibilité du vecteur

class ResourcesStatus(TypedDict):
    """Statut d'une ressource"""
    caseId: str  # Identifiant affaire/dossier
    resourceId: str  # ID Ressource partagé
    state: State  # Etat vecteur

def message(use_case: ResourcesStatus, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-SR in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("resourcesStatus", use_case, sender=sender, recipient=recipient, **options)
