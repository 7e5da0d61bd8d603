"""Code maps between model versions: every code has a fate, each fate is the reviewed one, and the files are checked."""

from collections.abc import Iterator, Mapping
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from gateway.conversion import codes, doubt
from gateway.conversion.code_sections import Correspondence, Lists, Section, lists, read, sections
from gateway.conversion.codes import correspondences, findings, join
from gateway.errors import ConfigurationError
from schemas import codes as terminology
from schemas import fields

List = tuple[str, str]
EQUIVALENCES = {"equivalent", "wider", "narrower", "inexact"}
# lists of one name in two versions, and the lists of different names that a section joins
PAIRS: list[tuple[List, List]] = sorted(
    {
        ((here, name), (there, name))
        for here, there in permutations(schemas.VERSIONS, 2)
        for version, name in lists()
        if version == here and (there, name) in lists()
    }
    | {pair for s in sections() for pair in ((s.left, s.right), (s.right, s.left))}
    | {
        pair
        for older, name in ((("v1", "ISO3166"), "langue"), (("v1", "typeRessource"), "typeVecteur"))
        for pair in ((older, ("v3", name)), (("v3", name), older))
    }
)


def _all(source: List, target: List, more: frozenset[str] = frozenset()) -> Mapping[str, Correspondence]:
    return correspondences(source, target, lists()[source] | more, lists()[target])


def _whole(*ends: List) -> bool:
    """Whether all codes of these lists are known: a target that is known in part may have any other code too."""
    return all(terminology.complete(name) for _, name in ends)


def _unmatched(source: List, target: List) -> set[str]:
    """The codes that a section of the two lists says have no equivalent."""
    said: set[str] = set()
    for section in sections():
        for ends, leg in (
            ((section.left, section.right), section.forward),
            ((section.right, section.left), section.backward),
        ):
            if ends == (source, target):
                said |= {code for code, fate in leg.fates.items() if fate.to is None}
    return said


def _values(field: fields.Field, path: str = "") -> Iterator[tuple[str, List, frozenset[str]]]:
    if field.values or field.codes:
        known = field.values or tuple(terminology.labels(field.codes))
        yield path, ("", field.list or field.codes or field.name), frozenset(known)
    for child in field.fields:
        yield from _values(child, f"{path}.{child.name}")


def _leaves(version: str) -> dict[str, tuple[List, frozenset[str]]]:
    found = {}
    for kind in schemas.ALL_ROOT_KEYS[version].values():
        for path, (_, name), known in _values(fields.table(kind, version).root, kind):
            found[path] = ((version, name), known)
    return found


def test_the_files_are_right() -> None:
    assert codes.check() == []


@pytest.mark.parametrize(("source", "target"), PAIRS, ids="-".join)
def test_every_code_has_a_fate(source: List, target: List) -> None:
    found = _all(source, target)
    assert found.keys() <= lists()[source]
    unknown = {to for to in found.values() if to.code not in lists()[target]}
    assert not (unknown and _whole(target))
    assert {to.equivalence for to in found.values()} <= EQUIVALENCES
    lost = lists()[source] - found.keys()
    if not _whole(source):
        return  # what has no line and no ancestor in the other list is lost
    if {source[0], target[0]} != {"v1", "v3"}:
        assert lost == _unmatched(source, target)
        return
    middles = [end for end in lists() if end[0] == "v2" and {(source, end), (end, target)} <= set(PAIRS)]
    assert middles
    for middle in middles:
        near = _all(source, middle)
        behind = {near[code].code for code in lost if code in near}
        assert behind <= _unmatched(middle, target)  # lost behind v2 because a line says so
        assert lost - near.keys() <= _unmatched(source, middle)  # or before


@pytest.mark.parametrize(("here", "there"), list(permutations(schemas.VERSIONS, 2)))
def test_every_leaf_that_differs_has_a_map(here: str, there: str) -> None:
    ours, theirs = _leaves(here), _leaves(there)
    shared = ours.keys() & theirs.keys() - {
        "RS-RPIS.orientation.decision.resourceType"
    }  # another field in v1
    assert len(shared) > 50
    for path in shared:
        (source, known), (target, wanted) = ours[path], theirs[path]
        found = correspondences(source, target, known, wanted)
        if not _whole(source, target):
            continue
        assert {to.code for to in found.values()} <= wanted, path
        assert len(found) > len(known) / 4, path  # a pair of lists that nothing joins would have next to none


@pytest.mark.parametrize(("source", "target"), PAIRS, ids="-".join)
def test_what_means_the_same_comes_back(source: List, target: List) -> None:
    there = _all(source, target)
    same = {code: to.code for code, to in there.items() if to.equivalence == "equivalent"}
    back = _all(target, source, frozenset(same.values()))
    assert len(set(same.values())) == len(same)
    assert {code: back[other].code for code, other in same.items()} == {code: code for code in same}
    assert all(back[other].equivalence == "equivalent" for other in same.values())


def _labels(end: List) -> Mapping[str, str]:
    """Official labels; v1 numbers some facts otherwise, the official enumerations are compared where they are at hand."""
    known = terminology.labels(end[1]) if terminology.exists(end[1]) else {}
    return {
        code: known[code] for code in known if end != ("v1", "fait") or code[:6] not in ("C02.14", "C02.15")
    }


@pytest.mark.parametrize(("source", "target"), PAIRS, ids="-".join)
def test_what_means_the_same_has_the_same_official_label(source: List, target: List) -> None:
    if "ISO3166" in (source[1], target[1]):
        return  # a country is called otherwise than its language
    here, there = _labels(source), _labels(target)
    for code, to in _all(source, target).items():
        if to.equivalence == "equivalent" and code in here and to.code in there:
            same = doubt.plain(here[code]) == doubt.plain(there[to.code])
            assert same or there[to.code] == to.code or here[code] == code, code  # an acronym labels itself


@pytest.mark.parametrize(
    ("source", "target", "code", "expected"),
    [
        (("v2", "attribution"), ("v1", "attribution"), "DRM.SPE.OBST", ("DRM", "wider")),
        (("v2", "attribution"), ("v1", "attribution"), "DR.DREG.DRDAC", ("DREG", "wider")),
        (("v1", "attribution"), ("v3", "attribution"), "AUTRE", ("D.D-IDENT.AUTRE", "equivalent")),
        (("v3", "attribution"), ("v1", "attribution"), "DRM.SPE.AUTRESPE", ("DRM", "wider")),
        (("v2", "typeAppelant"), ("v1", "typeAppelant"), "SANTE.LABO", ("SANTE", "wider")),
        (("v2", "typeAppelant"), ("v1", "typeAppelant"), "AMBULANC.AASC", ("SECOUR", "wider")),
        (("v1", "statutVecteur"), ("v3", "statutVecteur"), "FINPEC", ("FINPEC", "equivalent")),
        (("v3", "statutVecteur"), ("v2", "statutVecteur"), "FINPEC", ("FINMED", "equivalent")),
        # a vehicle that is told its destination has not left: TRANSP would say so
        (("v3", "statutVecteur"), ("v2", "statutVecteur"), "ORIENTAT", ("BILAN", "inexact")),
        (("v3", "statutVecteur"), ("v1", "statutVecteur"), "TRANSP", ("TRANSPOR", "equivalent")),
        # a transfer within a hospital never comes back as one between hospitals
        (("v3", "intervention"), ("v2", "intervention"), "T2-INTRA", ("SECONDAIRE", "wider")),
        (("v2", "intervention"), ("v3", "intervention"), "SECONDAIRE", None),
        (("v3", "intervention"), ("v1", "intervention"), "T4", None),
        # an unknown risk is a situation that nobody determined
        (("v3", "risque"), ("v2", "risque"), "R99", ("R37", "inexact")),
        (("v3", "risque-2.3"), ("v1", "risque"), "R99", ("R37", "inexact")),
        (("v3", "risque"), ("v2", "risque"), "R14", ("R14", "equivalent")),
        (("v3", "fait"), ("v2", "fait"), "C11.06.05", ("C11.06.00", "wider")),
        (("v3", "fait"), ("v1", "fait"), "C02.18.00", ("C02.00.00", "wider")),
        (("v3", "fait"), ("v2", "fait"), "C99.01.01", ("C11.06.00", "wider")),
        (("v3", "fait-2.3"), ("v1", "fait"), "C99.01.01", ("C11.06.00", "wider")),
        (("v3", "lieu-2.3"), ("v1", "lieu"), "L08.01.12", ("L07.01.00", "wider")),
        (("v3", "motif-2.3"), ("v1", "motif"), "M01.77", ("M01.00", "wider")),
        (("v3", "motif-1.9"), ("v1", "motif"), "M01.77", ("M01.00", "wider")),
        (("v3", "motif-2.3"), ("v2", "motif"), "M17.03.01", ("M06.04", "wider")),
        (("v3", "motif-1.9"), ("v1", "motif"), "M22.11", ("M06.04", "wider")),
        # of a list that is known in part, a code that nothing says anything of stays
        (("v2", "motif"), ("v3", "motif-2.3"), "M03.06", ("M03.06", "equivalent")),
        (("v1", "lieu"), ("v3", "lieu-2.3"), "L01.01.00", ("L01.01.00", "equivalent")),
        (("v1", "fait"), ("v3", "fait-2.3"), "C02.15.01", ("C02.16.01", "equivalent")),
        (("v3", "fait-2.3"), ("v1", "fait"), "C02.16.00", ("C02.15.00", "equivalent")),
        # an ancestor of the number is not always one of the meaning
        (("v3", "fait-2.3"), ("v2", "fait"), "C02.18.00", ("C02.05.03", "inexact")),
        (("v3", "fait-2.3"), ("v1", "fait"), "C02.17.01", ("C10.02.00", "wider")),
        (("v3", "fait-2.3"), ("v2", "fait"), "C09.05.02", ("C09.00.00", "wider")),
        (("v3", "lieu-2.3"), ("v2", "lieu"), "L05.01.04", ("L05.01.03", "wider")),
        (("v3", "fait-2.3"), ("v2", "fait"), "C11.02.01", ("C11.02.01", "equivalent")),
        # a risk that the older list lacks goes where the official map leads, one that it has stays
        (("v3", "risque-2.3"), ("v2", "risque"), "R88", ("R37", "inexact")),
        (("v3", "risque-2.3"), ("v1", "risque"), "R79", ("R13", "inexact")),
        (("v3", "risque-2.3"), ("v2", "risque"), "R17", ("R17", "equivalent")),
        (("v3", "risque-2.3"), ("v2", "risque"), "R38", ("R37", "inexact")),
        (("v3", "risque-2.3"), ("v2", "risque"), "R91", ("R23", "wider")),
        (("v3", "lieu"), ("v2", "lieu"), "L01.01.99", ("L01.01.00", "wider")),
        # v1 numbered aggressions as sexual offences: no such code may change its meaning
        (("v1", "fait"), ("v3", "fait"), "C02.15.01", ("C02.16.01", "equivalent")),
        (("v1", "fait"), ("v2", "fait"), "C02.14.02", ("C02.00.00", "wider")),
        (("v3", "fait"), ("v1", "fait"), "C02.14.02", ("C02.14.02", "wider")),
        (("v3", "fait"), ("v1", "fait"), "C02.15.01", ("C02.14.01", "wider")),
        (("v2", "fait"), ("v1", "fait"), "C02.15.04", ("C02.14.04", "wider")),
        (("v2", "fait"), ("v1", "fait"), "C02.15.05", ("C02.14.05", "equivalent")),
        (("v1", "typeVecteur"), ("v3", "typeVecteur"), "VSAV", ("SIS.VSAV", "equivalent")),
        (("v2", "typeVecteur"), ("v1", "typeRessource"), "TSU.VSL", ("TSU ", "wider")),
        (("v3", "typeVecteur"), ("v1", "typeRessource"), "FSI.VLFSI", ("FDO", "wider")),
        (("v1", "typeRessource"), ("v3", "typeRessource"), "TSU ", ("TSU", "equivalent")),
        (("v3", "typeRessource"), ("v1", "typeRessource"), "LIBERAL.KINE", ("LIB", "wider")),
        (("v1", "canal"), ("v3", "canal"), "DEFIBRILLATEUR, ", ("DEFIBRILLATEUR", "equivalent")),
        (("v1", "mobility"), ("v3", "mobility"), "SHIP ", ("SHIP", "equivalent")),
        (("v3", "etat"), ("v1", "etat"), "ACTIF", (" ACTIF", "equivalent")),
        (("v3", "typeOrientation"), ("v2", "typeOrientation"), "REA-USI", ("AUTRE", "wider")),
        (("v2", "typeIdPatient"), ("v3", "typeIdPatient"), "SI-VIC", ("AUTRE", "wider")),
        (("v3", "typeIdPatient"), ("v2", "typeIdPatient"), "AUTRE", None),
        (("v3", "origine"), ("v2", "origine"), "CTA-CONF", ("18", "wider")),
        (("v1", "origine"), ("v3", "origine"), "18", ("CTA-CONF", "narrower")),
        (("v3", "origine"), ("v2", "origine"), "CROSS", None),
        (("v1", "ISO3166"), ("v3", "langue"), "FR", ("fr", "equivalent")),
        (("v1", "ISO3166"), ("v3", "langue"), "US", ("en", "inexact")),
        (("v1", "ISO3166"), ("v3", "langue"), "CH", ("de", "inexact")),
        (("v1", "ISO3166"), ("v3", "langue"), "ET", ("am", "inexact")),
        (("v1", "ISO3166"), ("v3", "langue"), "IN", ("hi", "inexact")),
        (("v1", "ISO3166"), ("v3", "langue"), "PG", None),
        (("v3", "langue"), ("v1", "ISO3166"), "en", ("GB", "equivalent")),
        (("v3", "langue"), ("v1", "ISO3166"), "eu", None),
        (("v3", "langue"), ("v1", "ISO3166"), "ar", None),
        (("v2", "langue"), ("v1", "ISO3166"), "am", None),
        (("v1", "ISO3166"), ("v3", "ISO3166"), "CH", ("CH", "equivalent")),
        (("v3", "role"), ("v1", "role"), "TCM", ("AUTRE", "wider")),
        (("v3", "typePEC"), ("v2", "typePEC"), "SANS", None),
        (("v1", "delai"), ("v3", "delai"), "DEL30M", ("30M", "equivalent")),
        (("v1", "sexe"), ("v3", "sexe"), "AUTRE", ("O", "equivalent")),
        (
            ("v2", "EMSI-RESOURCE.RTYPE.CLASS"),
            ("v1", "EMSI-RESOURCE.RTYPE.CLASS"),
            "FAC/OPR/HSPFLD2",
            ("FAC/OPR/HSPFLD", "wider"),
        ),
    ],
)
def test_the_fates_that_were_got_wrong_before_or_easily_are(
    source: List, target: List, code: str, expected: tuple[str, str] | None
) -> None:
    found = correspondences(source, target, lists()[source] | {code}, lists()[target])
    assert found.get(code) == (expected and Correspondence(*expected))


def test_a_language_goes_back_to_no_country_but_the_one_that_stands_for_it() -> None:
    back = _all(("v3", "langue"), ("v1", "ISO3166"))
    there = _all(("v1", "ISO3166"), ("v3", "langue"))
    assert {there[to.code].code for code, to in back.items() if code not in ("nb", "nn")} == set(
        back.keys() - {"nb", "nn"}
    )
    assert all(to.equivalence in ("equivalent", "inexact") for to in there.values())
    assert len(there) > 230  # one rule for all countries


def test_no_code_of_the_newest_version_has_a_stray_space() -> None:
    for source, target in PAIRS:
        if target[0] == "v3":
            assert all(to.code == to.code.strip() for to in _all(source, target).values())


@given(st.sampled_from(PAIRS), st.data())
def test_nothing_but_the_codes_asked_for_is_said(pair: tuple[List, List], data: st.DataObject) -> None:
    source, target = pair
    asked = data.draw(st.frozensets(st.sampled_from(sorted(lists()[source]))))
    wanted = data.draw(st.frozensets(st.sampled_from(sorted(lists()[target]))))
    found = correspondences(source, target, asked, wanted)
    assert found.keys() <= asked
    assert {to.code for to in found.values()} <= wanted or not _whole(target)
    # a narrower target list takes a code away or lifts it to an ancestor, it never finds a nearer one
    for code, to in found.items():
        whole = _all(source, target)
        assert to == whole[code] or to.equivalence in ("wider", "inexact")


def _small(text: str) -> tuple[Section, ...]:
    return read(text, "small.codes")


SMALL: Lists = {
    ("v1", "a"): frozenset({"X", "Y", "OLD", "P.Q.R", "BOTH"}),
    ("v2", "a"): frozenset({"X", "Y", "MID", "P.Q"}),
    ("v3", "a"): frozenset({"X", "Y", "NEW", "P", "BOTH"}),
}


def _join(text: str, source: str, target: str) -> dict[str, tuple[str, str]]:
    ends = (source, "a"), (target, "a")
    found = join(_small(text), SMALL, *ends, SMALL[ends[0]], SMALL[ends[1]])
    return {code: (to.code, to.equivalence) for code, to in found.items()}


def test_v1_and_v3_are_joined_over_v2() -> None:
    text = "v1 a | v2 a\nparents .\nOLD = MID\n! Y\nY !\nv2 a | v3 a\nparents .\nMID > NEW\nMID <~ NEW\n"
    assert _join(text, "v1", "v3") == {
        "X": ("X", "equivalent"),
        "OLD": ("NEW", "wider"),
        "P.Q.R": ("P", "wider"),
        "BOTH": ("BOTH", "equivalent"),  # v2 alone lacks it
    }
    assert _join(text, "v3", "v1") == {
        "X": ("X", "equivalent"),
        "NEW": ("OLD", "inexact"),
        "BOTH": ("BOTH", "equivalent"),
    }


def test_a_code_climbs_only_without_a_line_and_only_to_what_is_wider() -> None:
    known = frozenset({"P.Q", "P.Q.R", "P.Q.S"})
    text = "v1 b | v2 b\nparents .\nP.Q ~> N\nP.Q.S !\n"
    ends = ("v1", "b"), ("v2", "b")
    assert join(_small(text), SMALL, *ends, known, frozenset({"N"})) == {
        "P.Q": Correspondence("N", "inexact")
    }
    higher = join(_small(text), SMALL, *ends, known, frozenset({"N", "P"}))
    assert higher == {"P.Q": Correspondence("N", "inexact"), "P.Q.R": Correspondence("P", "wider")}


def test_a_code_that_neither_a_line_nor_an_ancestor_leads_anywhere_goes_where_else_says() -> None:
    text = "v2 a | v3 a\nparents .\n! NEW\nMID < else\nv1 a | v2 a\nOLD = MID\n"
    ends = ("v3", "a"), ("v2", "a")
    asked = frozenset({"ODD", "P.Q.R", "NEW", "X"})
    assert join(_small(text), SMALL, *ends, asked, SMALL[ends[1]]) == {
        "X": Correspondence("X", "equivalent"),
        "P.Q.R": Correspondence("P.Q", "wider"),
        "ODD": Correspondence("MID", "wider"),
    }  # NEW has a line that says that it has none
    over = join(_small(text), SMALL, ("v3", "a"), ("v1", "a"), asked, SMALL["v1", "a"])
    assert over["ODD"] == Correspondence("OLD", "wider")


def test_a_direct_section_goes_before_the_way_over_v2() -> None:
    text = "v1 a | v2 a\nOLD = MID\nv2 a | v3 a\nMID = NEW\nv1 a | v3 a\nOLD > X\n"
    assert _join(text, "v1", "v3")["OLD"] == ("X", "wider")
    assert "NEW" not in _join(text, "v3", "v1")


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ("=", "=", "equivalent"),
        ("=", ">", "wider"),
        ("~>", "=", "inexact"),
        (">", ">", "wider"),
        ("->", "->", "narrower"),
        (">", "->", "inexact"),
        ("->", "~>", "inexact"),
    ],
)
def test_equivalences_are_joined(first: str, second: str, both: str) -> None:
    text = f"v1 a | v2 a\nOLD {first} MID\nv2 a | v3 a\nMID {second} NEW\n"
    assert _join(text, "v1", "v3")["OLD"] == ("NEW", both)


def test_lists_without_a_section_share_what_they_share() -> None:
    assert _join("", "v1", "v2") == {"X": ("X", "equivalent"), "Y": ("Y", "equivalent")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A = B", "small.codes:1: expected `v1 LIST | v2 LIST`"),
        ("v1 a | v2 a\n\n# note\nA B", "small.codes:4: expected CODE SIGN CODE"),
        ("v1 a | v2 a\nA >", "small.codes:2: expected CODE SIGN CODE"),
        ("v1 a | v2 a\nA > B\nA !", "small.codes:3: A has a second fate; the first is at small.codes:2"),
        ("v1 a | v2 a\nA = B\nC < B", "small.codes:3: B has a second fate; the first is at small.codes:2"),
        ("v1 a | v2 a\nA | B = C", "small.codes:2: several codes stand only"),
        ("v1 a | v2 a\nA > B | C", "small.codes:2: several codes stand only"),
        ("v1 a | v2 a\nA = else", "small.codes:2: `else` stands on the side"),
        ("v1 a | v2 a\nelse < B", "small.codes:2: `else` stands on the side"),
        ("v1 a | v2 a\nelse -> B", "small.codes:2: expected `else` with one of"),
        ("v1 a | v2 a\nelse !", "small.codes:2: expected `else` with one of"),
        ("v1 a | v2 a\nA ? B", "small.codes:2: expected one CODE ? CODE | CODE"),
        ("v1 a | v2 a\nA ? B | C", "small.codes:1: A with `?` has no line for another label"),
        ('v1 a | v2 a\n"A = B', 'small.codes:2: "A is no code in quotes'),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _small(text)
    assert str(caught.value).startswith(said)


@given(st.text(alphabet='v12 a|=<>-~!?#."\nels'))
def test_any_text_is_read_or_named(text: str) -> None:
    try:
        places = [section.where for section in _small(text)]
    except ConfigurationError as error:
        places = [str(error)]
    assert all(place.startswith("small.codes:") for place in places)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("v1 a | v2 a\nGONE > X", "small.codes:2: 'GONE' is no code of its list"),
        ("v1 a | v2 a\nOLD > GONE", "small.codes:2: 'GONE' is no code of the other list"),
        ("v1 a | v2 a\nOLD = X", "small.codes:2: `=` is not one to one"),
        ("v1 a | v2 a\nelse > GONE", "small.codes:2: 'GONE' is no code of the other list"),
        ("v1 a | v2 a\nOLD > X\nOLD ? X | GONE", "small.codes:2: 'GONE' is no code of the other list"),
        ("v1 a | v2 a\nelse > X", "small.codes:1: 'OLD' has no fate"),
        ("v1 a | v2 a", "small.codes:1: 'OLD' has no fate"),
        ("v1 a | v2 a", "small.codes:1: 'MID' has no fate"),
        ("v1 b | v2 a", "small.codes:1: v1 has no code list b"),
        ("v1 a | v2 a\nv2 a | v1 a", "small.codes:2: the two lists have a section at small.codes:1 already"),
        ("v1 a | v2 a", "schemas/conversion/a.codes: expected a section `v2 a | v3 a`"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text: str, said: str) -> None:
    assert any(line.startswith(said) for line in findings(_small(text), SMALL))


def test_a_right_file_has_no_findings() -> None:
    text = "v1 a | v2 a\nparents .\nOLD = MID\nBOTH !\nP.Q.R < P.Q\nv2 a | v3 a\nparents .\nMID = NEW\n! BOTH | P"
    assert findings(_small(text), SMALL) == []
