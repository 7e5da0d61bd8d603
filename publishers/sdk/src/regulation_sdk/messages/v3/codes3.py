"""Code lists of model v3 that the schemas hold a message to."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import Literal

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
    "FIXE", "VEHICULE", "HELICOPTERE", "SHIP"
]
ResourceNature = Literal[
    "EFFECTEUR", "BASE"
]
ResourceResourceType = Literal[
    "SMUR", "SDIS", "TSU", "SNP", "MSPE", "SHIP"
]
ResourceVehicleType = Literal[
    "SMUR", "SIS"
]
Role = Literal[
    "AMBULANCIER", "ARM", "INFIRMIER", "MEDECIN", "PILOTE", "TCM", "AUTRE", "INCONNU"
]
Sexe = Literal[
    "M", "F", "O", "UN"
]
Signalement = Literal[
    "STANDARD", "ATTENTION"
]
StatutVecteur = Literal[
    "DECISION", "DECLENCHE", "DEPART", "ANNULE", "ARRIVEE", "PEC", "BILAN", "ORIENTAT", "TRANSP", "ETAPE1",
    "TRANSP2", "ETAPE2", "TRANSP3", "DESTIN", "FINPEC", "RETOUR", "RET-BASE", "REN-BASE"
]
Systeme = Literal[
    "BAN", "IGN", "NEXSIS"
]
TypeAppelant = Literal[
    "SUJET", "FAMILLE", "TIERS", "POMPIER", "AMBULANC", "AMBULANC.AASC", "AMBULANC.AUTRESEC", "SECOUR",
    "MED", "MED.MEDSOS", "MED.MRL", "MED.EFFML", "SANTE", "SANTE.INF", "SANTE.AIDESOIN", "SANTE.SF",
    "SANTE.AIDEDOM", "SANTE.PHARMA", "SANTE.DENTISTE", "SANTE.LABO", "FDO-MILI", "FDO-MILI.POL",
    "FDO-MILI.GENDARM", "FDO-MILI.MILI", "ADM-TUTL", "VIP", "OBJCONNC", "AUTRE", "INCONNU"
]
TypeCom = Literal[
    "EMAIL", "FAX", "MSS", "POSTAL", "RADIO", "TEL", "WEB"
]
TypeDecision = Literal[
    "CONSEIL", "PMT", "INTER", "ORIENT", "PASPLUS"
]
TypeIdPatient = Literal[
    "NIR", "SINUS", "DOSSARD", "PLACE", "AUTRE"
]
TypeOrientation = Literal[
    "URGENCES", "REA-USI", "SANTE", "CABINET", "DOMICILE", "EPHAD", "AUTRE"
]
TypePEC = Literal[
    "MED", "PARAMED", "SECOURS", "SANS"
]
TypeRessource = Literal[
    "SMUR", "SMUR.ADULT", "SMUR.PED", "SMUR.UMH-S", "SMUR.CUMP", "HOSPIT", "LIBERAL", "LIBERAL.MG",
    "LIBERAL.PHARM", "LIBERAL.INF", "LIBERAL.KINE", "LIBERAL.SOS", "LIBERAL.MMG", "LIBERAL.MSPD",
    "LIBERAL.MCS", "LIBERAL.SPEMED", "LIBERAL.DENT", "LIBERAL.LABO", "LIBERAL.AUTREPRO", "TSU", "SIS",
    "SIS.MEDSP", "SIS.ISP", "SIS.SP", "AASC", "FDO", "FDO.PN", "FDO.GEND", "FDO.PM", "FDO.DOUANES", "AUTRE",
    "AUTRE.ADM", "AUTRE.DAE", "AUTRE.AUTRE"
]
TypeVecteur = Literal[
    "AASC", "AASC.VLSC", "AASC.VPSP", "AASC.AUTRESC", "AUTREVEC", "AUTREVEC.APIED", "AUTREVEC.AVION",
    "AUTREVEC.PERSO", "AUTREVEC.TAXI", "AUTREVEC.TRAIN", "AUTREVEC.TRANSP", "AUTREVEC.AUTRE",
    "AUTREVEC.AUTRETRA", "FSI", "FSI.HELIFSI", "FSI.VLFSI", "FSI.FFSI", "FSI.VHFSI", "LIB", "LIB.MEDV",
    "LIB.INF", "LIB.AUTREPRO", "SIS", "SIS.DRAGON", "SIS.AVSC", "SIS.FEUSIS", "SIS.GRIMP", "SIS.NAVISIS",
    "SIS.PCSIS", "SIS.SRSIS", "SIS.VCH", "SIS.VLCG", "SIS.VLISP", "SIS.VLMSP", "SIS.VLSIS", "SIS.VPL",
    "SIS.VPMA", "SIS.VR", "SIS.VSAV", "SIS.MOYSSE", "SIS.AUTRESIS", "SMUR", "SMUR.VLM", "SMUR.VL",
    "SMUR.PSM1", "SMUR.PSM2", "SMUR.PSM3", "SMUR.PSMP", "SMUR.VPC", "SMUR.AR", "SMUR.AR-BAR", "SMUR.AR-PED",
    "SMUR.HELISMUR", "SMUR.HELISAN", "SMUR.AVSMUR", "SMUR.AVSAN", "SMUR.NAVISMUR", "TSU", "TSU.VSL",
    "TSU.AMB-GV", "TSU.AMB-PV", "TSU.AMB-BAR", "TSU.AMB"
]
