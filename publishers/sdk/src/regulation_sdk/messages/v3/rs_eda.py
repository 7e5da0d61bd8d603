"""RS-EDA, model v3."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v3.codes import Attribution, Canal, Communication
from regulation_sdk.messages.v3.codes2 import Etat, Filiere, IdLieu, Intervention, Langue, NiveauSoin, ObjetSource, Origine, Precision
from regulation_sdk.messages.v3.codes3 import Priorite, Role, Sexe, Systeme, TypeAppelant, TypeCom, TypeDecision, TypeIdPatient, TypeOrientation, TypeRessource
from regulation_sdk.typing import NotRequired, Unpack


class RiskThreat(TypedDict):
    """Risque, menace et sensibilité"""
    code: str  # Code
    label: str  # Libellé

class WhatsHappen(TypedDict):
    """Nature de fait"""
    code: str  # Code
    label: str  # Libellé

class LocationKind(TypedDict):
    """Type de lieu"""
    code: str  # Code
    label: str  # Libellé

class HealthMotive(TypedDict):
    """Motif de recours médico-secouriste"""
    code: str  # Code
    label: str  # Libellé

class Details(TypedDict):
    """Détails du dossier"""
    status: NotRequired[Etat]  # Etat du dossier
    attribution: NotRequired[Attribution]  # Attribution du dossier
    priority: NotRequired[Priorite]  # Priorité de régulation médicale
    careLevel: NotRequired[NiveauSoin]  # Niveau de soins du dossier

class Qualification(TypedDict):
    """Qualification"""
    origin: NotRequired[Origine]  # Origine de l'appel
    riskThreat: NotRequired[list[RiskThreat]]  # Risque, menace et sensibilité
    whatsHappen: NotRequired[WhatsHappen]  # Nature de fait
    locationKind: NotRequired[LocationKind]  # Type de lieu
    healthMotive: NotRequired[HealthMotive]  # Motif de recours médico-secouriste
    details: NotRequired[Details]  # Détails du dossier

class ExternalLocationId(TypedDict):
    """Identifiant(s) du lieu"""
    source: IdLieu  # Source / type d'identifiant
    value: str  # Identifiant

class Highway(TypedDict):
    """Autoroute"""
    name: NotRequired[str]  # Nom
    pk: NotRequired[str]  # Point kilométrique
    direction: NotRequired[str]  # Sens

class WayName(TypedDict):
    """Type et nom de voie"""
    complete: str  # Type et nom
    type: NotRequired[str]  # Type
    name: NotRequired[str]  # Nom

class DetailedAddress(TypedDict):
    """Détails de l'adresse"""
    highway: NotRequired[Highway]  # Autoroute
    complete: str  # Numéro, type et nom de voie
    number: NotRequired[str]  # Numéro dans la voie
    wayName: NotRequired[WayName]  # Type et nom de voie

class City(TypedDict):
    """Détails de la commune"""
    name: NotRequired[str]  # Nom de la commune
    inseeCode: NotRequired[str]  # Code INSEE de la commune

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
    precision: Precision  # Précision

class Point(TypedDict):
    """Point"""
    coord: Coord  # Coordonnées
    isAml: NotRequired[bool]  # Dispositif AML

class Geometry(TypedDict):
    """Géometrie associée"""
    datetime: str  # Heure du dernier relevé
    point: NotRequired[Point]  # Point

class ExternalInfo(TypedDict):
    """Liens aux systèmes externes"""
    freetext: Systeme  # Nom de la source
    type: NotRequired[ObjetSource]  # Type
    uri: str  # Identifiant

class Location(TypedDict):
    """Localisation"""
    name: NotRequired[str]  # Nom du lieu
    externalLocationId: NotRequired[list[ExternalLocationId]]  # Identifiant(s) du lieu
    detailedAddress: NotRequired[DetailedAddress]  # Détails de l'adresse
    city: NotRequired[City]  # Détails de la commune
    access: NotRequired[Access]  # Détails d'accès
    geometry: NotRequired[Geometry]  # Géometrie associée
    externalInfo: NotRequired[list[ExternalInfo]]  # Liens aux systèmes externes
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

class InitialAlert(TypedDict):
    """Alerte initiale"""
    reception: str  # Date et heure de réception de l'alerte
    notes: NotRequired[list[Notes]]  # Informations complémentaires sur l'alerte
    caller: Caller  # Requérant

class ExternalId(TypedDict):
    """Identifiant(s) patient(s)"""
    source: TypeIdPatient  # Source / type d'identifiant
    value: str  # Identifiant

class PersonalContact(TypedDict):
    """Contact médecin"""
    type: TypeCom  # Type de contact
    detail: str  # URI du contact

class GeneralPractitioner(TypedDict):
    """Médecin traitant"""
    detailedName: DetailedName  # Prénom & nom usuel
    rppsId: NotRequired[str]  # Identifiant RPPS
    contact: NotRequired[list[PersonalContact]]  # Contact médecin

class AdministrativeFile(TypedDict):
    """Dossier administratif"""
    externalId: NotRequired[list[ExternalId]]  # Identifiant(s) patient(s)
    generalPractitioner: NotRequired[GeneralPractitioner]  # Médecin traitant

class InsStrictFeatures(TypedDict):
    """Traits stricts de l'identité"""
    birthName: NotRequired[str]  # Nom de naissance
    birthDate: NotRequired[str]  # Date de naissance
    sex: NotRequired[Sexe]  # Sexe

class Identity(TypedDict):
    """Identité"""
    strictFeatures: NotRequired[InsStrictFeatures]  # Traits stricts de l'identité
    nonStrictFeatures: NotRequired[DetailedName]  # Prénom & nom usuel

class PatientDetail(TypedDict):
    """Informations patient"""
    weight: NotRequired[float]  # Poids
    height: NotRequired[float]  # Taille
    age: NotRequired[str]  # Age
    careLevel: NotRequired[NiveauSoin]  # Niveau de soin du patient
    medicalHistory: NotRequired[str]  # Antécédents
    treatment: NotRequired[str]  # Traitements

class MainDiagnosis(TypedDict):
    """Hypothèse de régulation médicale principale"""
    code: str  # Code
    label: str  # Libellé

class OtherDiagnosis(TypedDict):
    """Hypothèses de régulation médicale secondaires"""
    code: str  # Code
    label: str  # Libellé

class Hypothesis(TypedDict):
    """Hypothèses de régulation médicale"""
    mainDiagnosis: NotRequired[MainDiagnosis]  # Hypothèse de régulation médicale principale
    otherDiagnosis: NotRequired[list[OtherDiagnosis]]  # Hypothèses de régulation médicale secondaires

class Patient(TypedDict):
    """Patient"""
    patientId: str  # ID patient partagé
    administrativeFile: NotRequired[AdministrativeFile]  # Dossier administratif
    identity: NotRequired[Identity]  # Identité
    detail: NotRequired[PatientDetail]  # Informations patient
    hypothesis: NotRequired[Hypothesis]  # Hypothèses de régulation médicale

class Operator(TypedDict):
    """Professionnel de santé qui réalise l'observation"""
    label: NotRequired[str]  # Label
    role: Role  # Rôle

class MedicalNote(TypedDict):
    """Observation médicale"""
    patientId: NotRequired[str]  # ID patient partagé
    operator: Operator  # Professionnel de santé qui réalise l'observation
    medicalNoteId: str  # ID Observation
    creation: NotRequired[str]  # Date Heure de l'observation
    freetext: str  # Observations et commentaires

class Destination(TypedDict):
    """Localisation de la destination d'orientation"""
    externalLocationId: NotRequired[list[ExternalLocationId]]  # Identifiant(s) du lieu
    freetext: NotRequired[str]  # Informations complémentaires sur la localisation

class Decision(TypedDict):
    """Décision"""
    patientId: NotRequired[str]  # ID patient partagé
    creation: str  # Date Heure de la décision
    operator: Operator  # Professionnel de santé qui réalise l'observation
    decisionType: TypeDecision  # Type de décision
    resourceType: NotRequired[TypeRessource]  # Type de ressource
    medicalTransport: NotRequired[bool]  # Transport médicalisé
    orientationType: NotRequired[TypeOrientation]  # Type d'orientation
    destination: NotRequired[Destination]  # Localisation de la destination d'orientation

class CustomMap(TypedDict):
    """Clé valeur adaptable"""
    key: str  # Clé
    label: NotRequired[str]  # Libellé
    value: str  # Valeur
    freetext: NotRequired[str]  # Détails

class AdditionalInformation(TypedDict):
    """Informations complémentaires"""
    customMap: NotRequired[list[CustomMap]]  # Clé valeur adaptable

class CreateCaseHealth(TypedDict):
    """Partage de dossier/affaire Santé"""
    caseId: str  # Identifiant affaire/dossier
    senderCaseId: NotRequired[str]  # Identifiant local de l'affaire/dossier
    creation: str  # Date Heure de création de l'affaire/dossier
    perimeter: NotRequired[Filiere]  # Filière
    interventionType: NotRequired[Intervention]  # Type d'intervention
    qualification: Qualification  # Qualification
    location: Location  # Localisation
    initialAlert: NotRequired[InitialAlert]  # Alerte initiale
    owner: str  # CRRA traitant
    patient: NotRequired[list[Patient]]  # Patient
    medicalNote: NotRequired[list[MedicalNote]]  # Observation médicale
    decision: NotRequired[list[Decision]]  # Décision
    additionalInformation: NotRequired[AdditionalInformation]  # Informations complémentaires

def message(use_case: CreateCaseHealth, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-EDA in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("createCaseHealth", use_case, sender=sender, recipient=recipient, **options)
