"""RC-RI, model v3."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v3.codes3 import ResourceVehicleType, StatutVecteur, TypeCom, TypePEC
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

class Coord(TypedDict):
    """Coordonnées de la position"""
    lat: float  # Latitude
    lon: float  # Longitude
    height: NotRequired[float]  # Altitude

class Position(TypedDict):
    """Position du vecteur"""
    datetime: str  # Date/heure de la position
    speed: NotRequired[float]  # Vitesse
    coord: Coord  # Coordonnées de la position

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
    operationId: NotRequired[str]  # ID Opération
    orgId: NotRequired[str]  # ID Organisation propriétaire
    centerName: NotRequired[str]  # Nom du centre d’affectation
    vehicleType: ResourceVehicleType  # Type de vecteur
    name: NotRequired[str]  # Nom du vecteur
    centerCity: NotRequired[str]  # Commune du centre d’affectation
    team: NotRequired[Team]  # Equipe vecteur
    state: State  # Etat vecteur
    position: NotRequired[Position]  # Position du vecteur
    contact: NotRequired[Contact]  # Contact
    freetext: NotRequired[list[str]]  # Commentaires

class ResourcesInfoCisu(TypedDict):
    """Ressources engagées (CISU)"""
    caseId: str  # Identifiant affaire/dossier
    resource: list[Resource]  # Ressource

def message(use_case: ResourcesInfoCisu, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RC-RI in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("resourcesInfoCisu", use_case, sender=sender, recipient=recipient, **options)
