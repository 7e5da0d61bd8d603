"""RS-EDA-MAJ, model v2."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import TypedDict

from regulation_sdk.envelopes import Envelope, Options, envelope
from regulation_sdk.messages.v2.codes2 import Etat, Filiere
from regulation_sdk.messages.v2.codes3 import Motif, NiveauSoin, ObjetSource, Priorite, Risque, Role, Sexe, Systeme, TypeCom, TypeDecision, TypeIdPatient, TypeOrientation, TypeRessource
from regulation_sdk.typing import NotRequired, Unpack


class RiskThreat(TypedDict):
    """Risque, menace et sensibilité"""
    code: Risque  # Code
    label: str  # Libellé

class CaseDetails(TypedDict):
    """Détails du dossier"""
    status: NotRequired[Etat]  # Etat du dossier
    priority: NotRequired[Priorite]  # Priorité de régulation médicale
    careLevel: NotRequired[NiveauSoin]  # Niveau de soins du dossier

class Qualification(TypedDict):
    """Qualification"""
    riskThreat: NotRequired[list[RiskThreat]]  # Risque, menace et sensibilité
    details: NotRequired[CaseDetails]  # Détails du dossier

class ExternalInfo(TypedDict):
    """Liens aux systèmes externes"""
    freetext: Systeme  # Nom de la source
    type: NotRequired[ObjetSource]  # Type
    uri: str  # Identifiant

class Location(TypedDict):
    """Localisation"""
    externalInfo: NotRequired[list[ExternalInfo]]  # Liens aux systèmes externes

class Notes(TypedDict):
    """Informations complémentaires sur l'alerte"""
    creation: NotRequired[str]  # Date et heure de l'information complémentaire
    freetext: NotRequired[str]  # Commentaire/Observations

class InitialAlert(TypedDict):
    """Alerte initiale"""
    notes: NotRequired[list[Notes]]  # Informations complémentaires sur l'alerte

class ExternalId(TypedDict):
    """Identifiant(s) patient(s)"""
    source: TypeIdPatient  # Source / type d'identifiant
    value: str  # Identifiant

class DetailedName(TypedDict):
    """Prénom & nom usuel"""
    complete: str  # Prénom et nom
    lastName: NotRequired[str]  # Nom
    firstName: NotRequired[str]  # Prénom

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

class HealthMotive(TypedDict):
    """Motif de recours médico-secouriste"""
    code: Motif  # Code
    label: str  # Libellé

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
    healthMotive: NotRequired[HealthMotive]  # Motif de recours médico-secouriste
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

class Decision(TypedDict):
    """Décision"""
    patientId: NotRequired[str]  # ID patient partagé
    creation: str  # Date Heure de la décision
    operator: Operator  # Professionnel de santé qui réalise l'observation
    decisionType: TypeDecision  # Type de décision
    resourceType: NotRequired[TypeRessource]  # Type de ressource
    medicalTransport: NotRequired[bool]  # Transport médicalisé
    orientationType: NotRequired[TypeOrientation]  # Type d'orientation

class CustomMap(TypedDict):
    """Clé valeur adaptable"""
    key: str  # Clé
    label: NotRequired[str]  # Libellé
    value: str  # Valeur
    freetext: NotRequired[str]  # Détails

class AdditionalInformation(TypedDict):
    """Informations complémentaires"""
    customMap: NotRequired[list[CustomMap]]  # Clé valeur adaptable

class CreateCaseHealthUpdate(TypedDict):
    """Mise à jour de dossier/affaire Santé"""
    caseId: str  # Identifiant affaire/dossier
    senderCaseId: NotRequired[str]  # Identifiant local de l'affaire/dossier
    perimeter: NotRequired[Filiere]  # Filière
    qualification: NotRequired[Qualification]  # Qualification
    location: NotRequired[Location]  # Localisation
    initialAlert: NotRequired[InitialAlert]  # Alerte initiale
    owner: NotRequired[str]  # CRRA traitant
    patient: NotRequired[list[Patient]]  # Patient
    medicalNote: NotRequired[list[MedicalNote]]  # Observation médicale
    decision: NotRequired[list[Decision]]  # Décision
    freetext: NotRequired[str]  # Informations supplémentaires modifiées
    additionalInformation: NotRequired[AdditionalInformation]  # Informations complémentaires

def message(use_case: CreateCaseHealthUpdate, *, sender: str, recipient: str, **options: Unpack[Options]) -> Envelope:
    """The RS-EDA-MAJ in its envelope; `options` as in `regulation_sdk.envelopes.envelope`."""
    return envelope("createCaseHealthUpdate", use_case, sender=sender, recipient=recipient, **options)
