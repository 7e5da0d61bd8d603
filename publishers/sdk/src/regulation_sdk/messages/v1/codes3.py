"""Code lists of model v1 that the schemas hold a message to."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import Literal

Lieu = Literal[
    "L01.00.00", "L01.01.00", "L01.01.01", "L01.01.02", "L01.01.03", "L01.01.04", "L01.02.00", "L01.02.01",
    "L01.02.02", "L01.02.03", "L01.02.04", "L01.02.05", "L01.02.06", "L01.02.07", "L01.02.08", "L01.02.09",
    "L01.02.10", "L01.02.11", "L01.02.12", "L01.03.00", "L01.03.01", "L01.03.02", "L01.03.03", "L01.04.00",
    "L02.00.00", "L02.01.00", "L02.02.00", "L02.02.01", "L02.02.02", "L02.02.03", "L02.02.04", "L02.02.05",
    "L02.03.00", "L02.03.01", "L02.03.02", "L02.03.03", "L02.04.00", "L02.05.00", "L02.05.01", "L02.05.02",
    "L02.05.03", "L02.05.04", "L02.05.05", "L02.05.06", "L02.05.07", "L02.05.08", "L02.05.09", "L02.05.10",
    "L02.05.11", "L02.05.12", "L02.05.13", "L02.05.14", "L02.05.15", "L02.05.16", "L02.06.00", "L02.06.01",
    "L02.06.02", "L02.06.03", "L02.06.04", "L02.06.05", "L02.06.06", "L02.06.07", "L02.06.08", "L02.07.00",
    "L02.07.01", "L02.07.02", "L02.08.00", "L03.00.00", "L03.01.00", "L03.02.00", "L03.03.00", "L03.04.00",
    "L03.05.00", "L04.00.00", "L04.01.00", "L04.02.00", "L04.02.01", "L04.02.02", "L04.02.03", "L04.03.00",
    "L04.03.01", "L04.03.02", "L04.03.03", "L04.04.00", "L04.05.00", "L04.06.00", "L04.06.01", "L04.06.02",
    "L04.06.03", "L04.06.04", "L04.06.05", "L04.07.00", "L04.07.01", "L04.07.02", "L04.07.03", "L04.08.00",
    "L04.08.01", "L04.08.02", "L04.09.00", "L04.09.01", "L04.09.02", "L04.10.00", "L04.11.00", "L04.11.01",
    "L04.11.02", "L04.11.03", "L04.11.04", "L04.12.00", "L04.12.01", "L04.12.02", "L04.12.03", "L04.12.04",
    "L04.13.00", "L04.13.01", "L04.13.02", "L04.13.03", "L04.13.04", "L04.14.00", "L04.14.01", "L04.14.02",
    "L04.15.00", "L04.16.00", "L05.00.00", "L05.01.00", "L05.01.01", "L05.01.02", "L05.01.03", "L05.01.04",
    "L05.02.00", "L05.02.01", "L05.02.02", "L05.02.03", "L05.02.04", "L05.03.00", "L05.03.01", "L05.03.02",
    "L05.04.00", "L05.04.01", "L05.04.02", "L05.04.03", "L05.04.04", "L05.04.05", "L05.04.06", "L05.05.00",
    "L05.06.00", "L05.07.00", "L06.00.00", "L06.01.00", "L06.01.01", "L06.01.02", "L06.01.03", "L06.01.04",
    "L06.01.05", "L06.01.06", "L06.01.07", "L06.01.08", "L06.02.00", "L06.03.00", "L06.03.01", "L06.03.02",
    "L06.03.03", "L06.03.04", "L06.03.05", "L06.04.00", "L06.05.00", "L06.05.01", "L06.05.02", "L06.06.00",
    "L06.06.01", "L06.06.02", "L06.06.03", "L06.06.04", "L06.07.00", "L06.07.01", "L06.07.02", "L07.00.00",
    "L07.01.00", "L07.01.01", "L07.02.00"
]
MISSIONPRIORITY = Literal[
    "0", "1", "2", "3", "4", "5"
]
MISSIONSTATUS = Literal[
    "ABO", "NST", "CANCLD", "COM", "IPR", "PAU"
]
Motif = Literal[
    "M01.00", "M01.01", "M01.02", "M01.03", "M02.00", "M02.01", "M02.02", "M02.03", "M02.04", "M02.05",
    "M02.06", "M02.07", "M02.08", "M02.09", "M02.10", "M03.00", "M03.01", "M03.02", "M03.03", "M03.04",
    "M03.05", "M03.06", "M03.07", "M03.08", "M03.09", "M03.10", "M03.11", "M03.12", "M03.13", "M03.14",
    "M03.15", "M03.16", "M03.17", "M03.18", "M03.19", "M03.20", "M03.21", "M03.22", "M04.00", "M04.01",
    "M04.02", "M04.03", "M04.04", "M05.00", "M05.01", "M05.02", "M06.00", "M06.01", "M06.02", "M06.03",
    "M06.04", "M07.00"
]
NbVictimes = Literal[
    "0", "1", "PLUSIEURS", "BEAUCOUP", "INCONNU", "NON DEFINI"
]
NiveauSoin = Literal[
    "R1", "R2", "R3", "R4"
]
ObjetSource = Literal[
    "MANUEL", "CARTE", "AUTRE", "PHOTO", "SITE_INTERNET"
]
Origine = Literal[
    "15", "17", "18", "112", "116117"
]
Patient = Literal[
    "NOURRISSON", "ENFANT", "ADULTE", "SENIOR", "ENCEINTE"
]
PositionMove = Literal[
    "MOBILE", "STATIQUE"
]
PositionStatus = Literal[
    "DISPONIBLE", "INDISPONIBLE", "INCONNU"
]
Precision = Literal[
    "VILLE", "RUE", "ADRESSE", "EXACTE", "INCONNUE"
]
Priorite = Literal[
    "P0", "P1", "P2", "P3", "NR"
]
RGEOTYPE = Literal[
    "ASP", "CUR", "INC", "STG", "TGT"
]
ReponseDemande = Literal[
    "ACCEPTEE", "PARTIELLE", "REFUSEE", "DIFFEREE"
]
ResourceCapacity = Literal[
    "URGENCE", "MEDICALE", "PARAMEDICALE", "INCONNUE"
]
ResourceMobility = Literal[
    "FIXE", "VEHICULE", "HELICOPTERE", "SHIP "
]
ResourceNature = Literal[
    "EFFECTEUR", "BASE"
]
ResourceType = Literal[
    "SMUR", "SDIS", "TSU", "SNP", "MSPE", "SHIP"
]
Risque = Literal[
    "R01", "R02", "R03", "R04", "R05", "R06", "R07", "R08", "R09", "R10", "R11", "R12", "R13", "R14", "R15",
    "R16", "R17", "R18", "R19", "R20", "R21", "R22", "R23", "R24", "R25", "R26", "R27", "R28", "R29", "R30",
    "R31", "R32", "R33", "R34", "R35", "R36", "R37"
]
Role = Literal[
    "AMBULANCIER", "ARM", "INFIRMIER", "MEDECIN", "AUTRE", "INCONNU"
]
Sexe = Literal[
    "MASC", "FEM", "AUTRE", "INCONNU"
]
Signalement = Literal[
    "STANDARD", "ATTENTION"
]
StatutVecteur = Literal[
    "DECISION", "DECLENCHE", "DEPART", "ANNULE", "PEC", "BILAN", "ETAPE1", "TRANSP2", "ETAPE2", "TRANSP3",
    "DESTIN", "FINPEC", "RETOUR", "RET-BASE", "REN-BASE", "ARRIVE", "TRANSPOR"
]
Systeme = Literal[
    "BAN", "IGN", "NEXSIS"
]
TypeAppelant = Literal[
    "SUJET", "FAMILLE", "TIERS", "POMPIER", "AMBULANC", "SECOUR", "MED", "MEDSOS", "MRL", "EFFML", "SANTE",
    "INF", "AIDESOIN", "SF", "AIDEDOM", "FDO-MILI", "ADM-TUTL", "VIP", "OBJCONNC", "AUTRE", "INCONNU"
]
TypeCom = Literal[
    "EMAIL", "FAX", "POSTAL", "RADIO", "TEL", "WEB"
]
TypeDecision = Literal[
    "CONSEIL", "PMT", "INTER", "ORIENT", "PASPLUS"
]
TypeIdPatient = Literal[
    "NIR", "SINUS", "DOSSARD", "PLACE", "SI-VIC"
]
TypeOrientation = Literal[
    "URGENCES", "SANTE", "CABINET", "DOMICILE", "EPHAD", "AUTRE"
]
TypePEC = Literal[
    "MED", "PARAMED", "SECOURS"
]
TypeRessource = Literal[
    "SMUR", "HOSPIT", "LIB", "TSU ", "SIS", "AASC", "FDO", "AUTRE"
]
TypeVecteur = Literal[
    "AASC", "VLSC", "VPSP", "AUTRESC", "AUTREVEC", "TAXI", "TRANSP", "TRAIN", "AVION", "PERSO", "APIED",
    "AUTRE", "AUTRETRA", "FSI", "HELIFSI", "VLFSI", "FFSI", "VHFSI", "LIB", "MEDV", "INF", "AUTREPRO",
    "SIS", "VSAV", "GRIMP", "VPL", "SRSIS", "FEUSIS", "VPMA", "VCH", "VR", "PCSIS", "VLISP", "VLMSP",
    "VLCG", "VLSIS", "DRAGON", "AVSC", "MOYSSE", "AUTRESIS", "NAVISIS", "SMUR", "VLM", "VL", "PSM1", "PSM2",
    "PSM3", "PSMP", "VPC", "AR", "AR-BAR", "AR-PED", "HELISMUR", "HELISAN", "AVSMUR", "AVSAN", "NAVISMUR",
    "TSU", "VSL", "AMB-GV", "AMB-PV", "AMB-BAR", "AMB"
]
