"""RS-RI, model v1."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v1.codes3 import Precision, StatutVecteur, TypeCom, TypePEC, TypeRessource, TypeVecteur
from regulation_sdk.typing import NotRequired, Unpack


class Team(TypedDict):
    """Equipe vecteur"""
    teamCare: NotRequired[TypePEC]  # Type
    name: NotRequired[str]  # Nom

class State(TypedDict):
    """Etats vecteur"""
    datetime: str  # Date/heure de changement de statut
    status: StatutVecteur  # Statut du vecteur
    availability: NotRequired[bool]  # Disponibilité du vecteur

class Coord(TypedDict):
    """Dernière géolocalisation du vecteur"""
    lat: float  # Latitude
    lon: float  # Longitude
    height: NotRequired[float]  # Altitude
    heading: NotRequired[float]  # Cap
    speed: NotRequired[float]  # Vitesse
    precision: Precision  # Précision

class Contact(TypedDict):
    """Contact"""
    type: NotRequired[TypeCom]  # Type de contact
    details: NotRequired[str]  # URI du contact

class MobilizedResource(TypedDict):
    """Ressource engagée"""
    datetime: str  # Date/heure de déclenchement
    resourceId: str  # ID Ressource partagé
    requestId: NotRequired[str]  # ID Demande partagé
    missionId: NotRequired[str]  # ID Mission local
    orgId: NotRequired[str]  # ID Organisation propriétaire
    centerName: NotRequired[str]  # ID Centre d’affectation
    resourceType: TypeRessource  # Type de ressource
    vehiculeType: NotRequired[TypeVecteur]  # Type de vecteur
    plate: NotRequired[str]  # Immatriculation
    name: NotRequired[str]  # Nom
    centerCity: NotRequired[str]  # Commune du centre d’affectation
    team: NotRequired[Team]  # Equipe vecteur
    state: NotRequired[list[State]]  # Etats vecteur
    coord: NotRequired[Coord]  # Dernière géolocalisation du vecteur
    contact: NotRequired[Contact]  # Contact
    freetext: NotRequired[list[str]]  # Commentaires

class ResourcesInfo(TypedDict):
    """Ressources engagées"""
    caseId: str  # Identifiant affaire/dossier
    mobilizedResource: list[MobilizedResource]  # Ressource engagée

def message(use_case: ResourcesInfo, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-RI in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("resourcesInfo", use_case, sender=sender, recipient=recipient, **options)
