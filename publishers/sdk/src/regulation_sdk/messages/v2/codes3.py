"""Code lists of model v2 that the schemas hold a message to."""
# Made by `python -m publishers.sdk.generate`, never edited.
# fmt: off
# isort: skip_file

from typing import Literal

Langue = Literal[
    "aa", "ab", "ae", "af", "ak", "am", "an", "ar", "as", "av", "ay", "az", "ba", "be", "bg", "bi", "bm",
    "bn", "bo", "br", "bs", "ca", "ce", "ch", "co", "cr", "cs", "cu", "cv", "cy", "da", "de", "dv", "dz",
    "ee", "el", "en", "eo", "es", "et", "eu", "fa", "ff", "fi", "fj", "fo", "fr", "fy", "ga", "gd", "gl",
    "gn", "gu", "gv", "ha", "he", "hi", "ho", "hr", "ht", "hu", "hy", "hz", "ia", "id", "ie", "ig", "ii",
    "ik", "io", "is", "it", "iu", "ja", "jv", "ka", "kg", "ki", "kj", "kk", "kl", "km", "kn", "ko", "kr",
    "ks", "ku", "kv", "kw", "ky", "la", "lb", "lg", "li", "ln", "lo", "lt", "lu", "lv", "mg", "mh", "mi",
    "mk", "ml", "mn", "mr", "ms", "mt", "my", "na", "nb", "nd", "ne", "ng", "nl", "nn", "no", "nr", "nv",
    "ny", "oc", "oj", "om", "or", "os", "pa", "pi", "pl", "ps", "pt", "qu", "rm", "rn", "ro", "ru", "rw",
    "sa", "sc", "sd", "se", "sg", "si", "sk", "sl", "sm", "sn", "so", "sq", "sr", "ss", "st", "su", "sv",
    "sw", "ta", "te", "tg", "th", "ti", "tk", "tl", "tn", "to", "tr", "ts", "tt", "tw", "ty", "ug", "uk",
    "ur", "uz", "ve", "vi", "vo", "wa", "wo", "xh", "yi", "yo", "za", "zh", "zu"
]
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
MissionPRIORITY = Literal[
    "0", "1", "2", "3", "4", "5"
]
MissionSTATUS = Literal[
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
ResourceResourceType = Literal[
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
    "M", "F", "O", "UN"
]
Signalement = Literal[
    "STANDARD", "ATTENTION"
]
StatutVecteur = Literal[
    "DECISION", "DECLENCHE", "DEPART", "ANNULE", "ARRIVEE", "PEC", "BILAN", "TRANSP", "ETAPE1", "TRANSP2",
    "ETAPE2", "TRANSP3", "DESTIN", "RETOUR", "RET-BASE", "REN-BASE", "FINMED"
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
    "NIR", "SINUS", "DOSSARD", "PLACE", "SI-VIC"
]
TypeOrientation = Literal[
    "URGENCES", "SANTE", "CABINET", "DOMICILE", "EPHAD", "AUTRE"
]
TypePEC = Literal[
    "MED", "PARAMED", "SECOURS"
]
TypeRessource = Literal[
    "SMUR", "SMUR.ADULT", "SMUR.PED", "SMUR.UMH-S", "SMUR.CUMP", "HOSPIT", "LIBERAL", "LIBERAL.MG",
    "LIBERAL.PHARM", "LIBERAL.INF", "LIBERAL.KINE", "LIBERAL.SOS", "LIBERAL.MMG", "LIBERAL.MSPD",
    "LIBERAL.MCS", "LIBERAL.SPEMED", "LIBERAL.DENT", "LIBERAL.LABO", "LIBERAL.AUTREPRO", "SIS", "SIS.MEDSP",
    "SIS.ISP", "SIS.SP", "AASC", "FDO", "FDO.PN", "FDO.GEND", "FDO.PM", "FDO.DOUANES", "AUTRE", "AUTRE.ADM",
    "AUTRE.DAE", "AUTRE.AUTRE", "TSU "
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
