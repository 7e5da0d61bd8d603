"""RC-EDA, model v2."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v2.codes import Canal, Communication
from regulation_sdk.messages.v2.codes2 import Fait, ISO3166, IdLieu
from regulation_sdk.messages.v2.codes3 import Langue, Lieu, Motif, NbVictimes, ObjetSource, Patient, Precision, Risque, Signalement, Systeme, TypeAppelant, TypeCom
from regulation_sdk.typing import NotRequired, Unpack


class RiskThreat(TypedDict):
    """Risque, menace et sensibilité"""
    code: Risque  # Code
    label: str  # Libellé

class WhatsHappen(TypedDict):
    """Nature de fait"""
    code: Fait  # Code
    label: str  # Libellé

class LocationKind(TypedDict):
    """Type de lieu"""
    code: Lieu  # Code
    label: str  # Libellé

class HealthMotive(TypedDict):
    """Motif de recours médico-secouriste"""
    code: Motif  # Code
    label: str  # Libellé

class Victims(TypedDict):
    """Patients-Victimes"""
    count: NotRequired[NbVictimes]  # Nombre de patients-victimes
    mainVictim: NotRequired[Patient]  # Type du patient-victime principal
    freetext: NotRequired[str]  # Informations complémentaires sur les patients-victimes

class Qualification(TypedDict):
    """Qualification"""
    riskThreat: NotRequired[list[RiskThreat]]  # Risque, menace et sensibilité
    whatsHappen: WhatsHappen  # Nature de fait
    locationKind: NotRequired[LocationKind]  # Type de lieu
    healthMotive: NotRequired[HealthMotive]  # Motif de recours médico-secouriste
    victims: NotRequired[Victims]  # Patients-Victimes

class ExternalLocationId(TypedDict):
    """Identifiant(s) du lieu"""
    source: IdLieu  # Source / type d'identifiant
    value: str  # Identifiant

class WayName(TypedDict):
    """Type et nom de voie"""
    complete: str  # Type et nom
    type: NotRequired[str]  # Type
    name: NotRequired[str]  # Nom

class DetailedAddress(TypedDict):
    """Détails de l'adresse"""
    complete: str  # Numéro, type et nom de voie
    number: NotRequired[str]  # Numéro dans la voie
    wayName: NotRequired[WayName]  # Type et nom de voie

class City(TypedDict):
    """Détails de la commune"""
    name: NotRequired[str]  # Nom de la commune
    inseeCode: NotRequired[str]  # Code INSEE de la commune
    detail: NotRequired[str]  # Complément de commune

class Access(TypedDict):
    """Détails d'accès"""
    floor: NotRequired[str]  # Etage
    roomNumber: NotRequired[str]  # Numéro de porte
    interphone: NotRequired[str]  # Interphone
    accessCode: NotRequired[list[str]]  # Digicode
    elevator: NotRequired[str]  # Ascenseur/escalier
    buildingName: NotRequired[str]  # Bâtiment
    entrance: NotRequired[str]  # Entrée
    entity: NotRequired[str]  # Service
    phoneNumber: NotRequired[str]  # N° de téléphone du lieu

class Coord(TypedDict):
    """Coordonnées"""
    lat: float  # Latitude
    lon: float  # Longitude
    height: NotRequired[float]  # Altitude
    heading: NotRequired[float]  # Cap
    speed: NotRequired[float]  # Vitesse
    precision: Precision  # Précision

class Point(TypedDict):
    """Point"""
    coord: Coord  # Coordonnées

class Geometry(TypedDict):
    """Géometrie associée"""
    datetime: str  # Heure du dernier relevé
    point: NotRequired[Point]  # Point
    sketch: NotRequired[str]  # Formes géométriques

class ExternalInfo(TypedDict):
    """Liens aux systèmes externes"""
    freetext: Systeme  # Nom de la source
    type: ObjetSource  # Type
    uri: str  # Identifiant

class Location(TypedDict):
    """Localisation"""
    locID: str  # Identifiant technique de localisation
    locLabel: NotRequired[str]  # Résumé de la localisation
    name: NotRequired[str]  # Nom du lieu
    externalLocationId: NotRequired[list[ExternalLocationId]]  # Identifiant(s) du lieu
    detailedAddress: NotRequired[DetailedAddress]  # Détails de l'adresse
    city: NotRequired[City]  # Détails de la commune
    access: NotRequired[Access]  # Détails d'accès
    geometry: NotRequired[Geometry]  # Géometrie associée
    externalInfo: NotRequired[list[ExternalInfo]]  # Liens aux systèmes externes
    country: ISO3166  # Pays
    freetext: NotRequired[str]  # Informations complémentaires sur la localisation

class Notes(TypedDict):
    """Informations complémentaires sur l'alerte"""
    creation: NotRequired[str]  # Date et heure de l'information complémentaire
    freetext: NotRequired[str]  # Commentaire/Observations

class Contact(TypedDict):
    """Contact"""
    channel: Canal  # Canal
    type: TypeCom  # Type de contact
    detail: str  # URI du contact

class DetailedName(TypedDict):
    """Prénom & nom usuel"""
    complete: str  # Prénom et nom
    lastName: NotRequired[str]  # Nom
    firstName: NotRequired[str]  # Prénom

class Caller(TypedDict):
    """Requérant"""
    callerContact: Contact  # Contact
    callbackContact: NotRequired[Contact]  # Contact
    language: NotRequired[Langue]  # Langue parlée
    type: NotRequired[TypeAppelant]  # Type de requérant
    communication: NotRequired[Communication]  # Difficulté de communication
    freetext: NotRequired[str]  # Informations complémentaires sur le requérant
    detailedName: NotRequired[DetailedName]  # Prénom & nom usuel

class CallTaker(TypedDict):
    """Agent"""
    organization: str  # Service d'urgence
    controlRoom: str  # Centre d'appels
    role: NotRequired[str]  # Rôle agent
    calltakerContact: NotRequired[Contact]  # Contact
    calltakerId: NotRequired[str]  # ID de l'agent

class Attachment(TypedDict):
    """Pièces jointes"""
    description: NotRequired[str]  # Type ou description pj
    mimeType: NotRequired[str]  # Type MIME
    size: NotRequired[int]  # Taille approximative
    URI: str  # URI
    derefURI: NotRequired[str]  # URI base 64
    digest: NotRequired[str]  # Hash

class Alert(TypedDict):
    """Alerte initiale"""
    id: str  # Identifiant alerte
    reception: str  # Date et heure de réception de l'alerte
    reporting: Signalement  # Signalement
    notes: NotRequired[list[Notes]]  # Informations complémentaires sur l'alerte
    caller: Caller  # Requérant
    location: Location  # Localisation
    qualification: Qualification  # Qualification
    callTaker: CallTaker  # Agent
    attachment: NotRequired[list[Attachment]]  # Pièces jointes

class CustomMap(TypedDict):
    """Clé valeur adaptable"""
    key: str  # Clé
    label: NotRequired[str]  # Libellé
    value: str  # Valeur
    freetext: NotRequired[str]  # Détails

class AdditionalInformation(TypedDict):
    """Informations complémentaires"""
    customMap: NotRequired[list[CustomMap]]  # Clé valeur adaptable

class CreateCase(TypedDict):
    """Partage d'affaire (CISU)"""
    caseId: str  # Identifiant affaire/dossier
    senderCaseId: NotRequired[str]  # Identifiant local de l'affaire/dossier
    creation: str  # Date Heure de création de l'affaire/dossier
    referenceVersion: str  # Version des nomenclatures du référentiel CISU
    qualification: Qualification  # Qualification
    location: Location  # Localisation
    initialAlert: NotRequired[Alert]  # Alerte initiale
    newAlert: NotRequired[list[Alert]]  # Alerte initiale
    freetext: NotRequired[list[str]]  # Description de l'affaire/dossier
    additionalInformation: NotRequired[AdditionalInformation]  # Informations complémentaires

def message(use_case: CreateCase, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RC-EDA in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("createCase", use_case, sender=sender, recipient=recipient, **options)
