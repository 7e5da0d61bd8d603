"""RS-RI, model v3."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v3.codes3 import StatutVecteur, TypeCom, TypePEC, TypeVecteur
from regulation_sdk.typing import NotRequired, Unpack


class Team(TypedDict):
    """Equipe vecteur"""
    medicalLevel: NotRequired[TypePEC]  # Type
    name: NotRequired[str]  # Nom

class State(TypedDict):
    """Etat vecteur"""
    datetime: str  # Date/heure de changement de statut
    status: StatutVecteur  # Statut du vecteur
    availability: NotRequired[bool]  # Disponibilité du vecteur

class Contact(TypedDict):
    """Contact"""
    type: NotRequired[TypeCom]  # Type de contact
    details: NotRequired[str]  # URI du contact

class Resource(TypedDict):
    """Ressource"""
    datetime: str  # Date/heure de déclenchement
    resourceId: str  # ID Ressource partagé
    requestId: NotRequired[str]  # ID Demande partagé
    missionId: NotRequired[str]  # ID Mission local
    orgId: NotRequired[str]  # ID Organisation propriétaire
    patientId: NotRequired[str]  # ID partagé du patient transporté
    centerName: NotRequired[str]  # Nom du centre d’affectation
    vehicleType: TypeVecteur  # Type de vecteur
    name: NotRequired[str]  # Nom du vecteur
    centerCity: NotRequired[str]  # Commune du centre d’affectation
    team: NotRequired[Team]  # Equipe vecteur
    state: NotRequired[list[State]]  # Etat vecteur
    contact: NotRequired[Contact]  # Contact
    freetext: NotRequired[list[str]]  # Commentaires

class ResourcesInfo(TypedDict):
    """Ressources engagées"""
    caseId: str  # Identifiant affaire/dossier
    resource: list[Resource]  # Ressource

def message(use_case: ResourcesInfo, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-RI in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("resourcesInfo", use_case, sender=sender, recipient=recipient, **options)
