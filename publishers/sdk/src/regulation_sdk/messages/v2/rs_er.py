"""RS-ER, model v2."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v2.codes3 import TypePEC, TypeVecteur
from regulation_sdk.typing import NotRequired, Unpack


class Team(TypedDict):
    """Equipe vecteur"""
    medicalLevel: NotRequired[TypePEC]  # Type
    name: NotRequired[str]  # Nom

class Resource(TypedDict):
    """Ressource"""
    vehicleType: NotRequired[TypeVecteur]  # Type de vecteur
    name: NotRequired[str]  # Nom du vecteur
    team: NotRequired[Team]  # Equipe vecteur
    freetext: NotRequired[list[str]]  # Commentaires

class ResourcesEngagement(TypedDict):
    """Demande d'engagement d'une ressource"""
    caseId: str  # Identifiant affaire/dossier
    resource: list[Resource]  # Ressource

def message(use_case: ResourcesEngagement, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-ER in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("resourcesEngagement", use_case, sender=sender, recipient=recipient, **options)
