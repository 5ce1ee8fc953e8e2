"""ICD-10-CM: what is complete on a date, how specific it is, and whether the table is the built one."""

import datetime
import importlib.util
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covrules.codes import icd10cm
from covrules.codes.icd10cm import CODE_SET, DATED, Specificity, complete_codes, digest, is_valid, specificity

ROOT = Path(__file__).resolve().parents[2]
TODAY = datetime.date(2026, 6, 1)
ORDER: list[Specificity] = ["general", "regional", "specific"]

# Read by eye against the descriptions of the release.
GENERAL = {
    "M79.10": "myalgia, unspecified site",
    "M79.18": "myalgia, other site",
    "M79.2": "neuralgia, unspecified",
    "M79.609": "pain in unspecified limb: an arm or a leg",
    "M79.7": "fibromyalgia",
    "M79.89": "other soft tissue disorders",
    "M25.50": "pain in unspecified joint",
    "M25.59": "pain in other specified joint",
    "M62.81": "muscle weakness",
    "M62.838": "other muscle spasm",
    "M19.90": "osteoarthritis, unspecified site",
    "M06.09": "rheumatoid arthritis, multiple sites",
    "M15.0": "generalized osteoarthritis",
    "M21.90": "acquired deformity of unspecified limb",
    "M35.3": "polymyalgia rheumatica",
    "M70.90": "disorder of overuse, unspecified site",
    "M77.9": "enthesopathy, unspecified",
    "M80.00XA": "osteoporosis with fracture, unspecified site",
    "M84.38XA": "stress fracture, other site",
    "M87.00": "necrosis of unspecified bone",
    "M99.9": "biomechanical lesion, unspecified",
    "G54.6": "phantom limb",
    "G58.9": "mononeuropathy, unspecified",
    "G62.9": "polyneuropathy",
    "G71.0340": "limb girdle dystrophy: a disease of all muscles",
    "G81.90": "hemiplegia",
    "G89.29": "other chronic pain",
    "G90.50": "regional pain syndrome, unspecified",
    "G96.191": "perineural cyst: not the perineum",
    "G97.1": "reaction to lumbar puncture: a procedure, not a site",
    "R11.15": "vomiting unrelated to migraine",
    "R19.7": "diarrhea, in a category named for the abdomen too",
    "R20.2": "paresthesia of skin",
    "R22.9": "swelling, unspecified",
    "R25.2": "cramp and spasm",
    "R26.81": "unsteadiness on feet",
    "R40.2110": "coma scale, eyes open",
    "R52": "pain, unspecified",
    "R93.6": "finding on imaging of limbs",
    "T07.XXXA": "multiple injuries",
    "T14.8XXA": "injury of unspecified body region",
    "T30.0": "burn of unspecified body region",
    "T49.7X1A": "poisoning by dental drugs",
    "T71.221A": "trapped in a car trunk",
    "T84.50XA": "infection of unspecified joint prosthesis",
    "I89.0": "another chapter",
    "F45.41": "another chapter",
}
REGIONAL = {
    "M54.10": "radiculopathy, site unspecified: of the back all the same",
    "M54.2": "neck",
    "M54.30": "sciatica, unspecified side",
    "M54.50": "low back",
    "M54.51": "low back",
    "M54.6": "thoracic spine",
    "M54.9": "back, unspecified",
    "M43.6": "torticollis",
    "M45.9": "unspecified sites in spine",
    "M47.816": "lumbar region",
    "M48.00": "spinal stenosis, site unspecified",
    "M50.121": "cervical disc",
    "M51.360": "lumbar disc",
    "M51.361": "lumbar disc, with leg pain",
    "M51.369": "lumbar disc, without leg pain",
    "M53.3": "sacrum and coccyx",
    "M53.80": "dorsopathy, site unspecified",
    "M06.88": "vertebrae",
    "M62.830": "muscle spasm of back",
    "M79.12": "muscles of head and neck",
    "M80.08XA": "vertebrae",
    "M84.350A": "pelvis",
    "M94.0": "ribs",
    "M96.1": "postlaminectomy",
    "M99.00": "head",
    "M99.03": "lumbar",
    "M99.08": "rib cage",
    "G43.909": "migraine, unspecified",
    "G44.209": "tension-type headache",
    "G44.86": "cervicogenic headache",
    "G51.0": "facial nerve",
    "G54.0": "brachial plexus",
    "G58.0": "intercostal",
    "R07.9": "chest pain",
    "R10.9": "abdominal pain",
    "R22.2": "trunk",
    "R51.9": "headache",
    "R68.84": "jaw",
    "S06.0X0A": "concussion",
    "S13.4XXA": "cervical spine",
    "S16.1XXA": "neck",
    "S29.012A": "back wall of thorax",
    "S33.5XXA": "lumbar spine",
    "S39.012A": "lower back",
    "T21.03XA": "upper back",
    "T79.A3XA": "abdomen",
}
SPECIFIC = {
    "M25.511": "right shoulder",
    "M25.572": "left ankle",
    "M25.579": "ankle, unspecified side",
    "M79.603": "arm, unspecified side",
    "M79.606": "leg, unspecified side",
    "M79.676": "toes",
    "M62.831": "calf",
    "M15.1": "Heberden's nodes",
    "M17.9": "knee, unspecified",
    "M20.10": "hallux",
    "M23.90": "unspecified derangement of unspecified knee",
    "M26.601": "joint of the jaw",
    "M46.1": "sacroiliac joint",
    "M65.4": "radial styloid",
    "M70.60": "hip",
    "M72.2": "sole",
    "M75.100": "rotator cuff",
    "M76.9": "lower limb, unspecified enthesopathy",
    "M77.10": "elbow",
    "M84.359A": "hip",
    "M91.10": "head of femur",
    "M99.06": "lower extremity",
    "G25.81": "legs",
    "G56.00": "carpal tunnel",
    "G57.00": "sciatic nerve, lower limb",
    "G83.10": "monoplegia of lower limb",
    "G90.511": "upper limb",
    "R22.30": "upper limb",
    "R29.4": "hip",
    "S23.420A": "sternoclavicular joint",
    "S33.6XXA": "sacroiliac joint",
    "S43.401A": "shoulder",
    "S49.90XA": "upper arm, unspecified side",
    "S72.001A": "neck of femur",
    "S83.90XA": "unspecified site of unspecified knee",
    "S93.402A": "left ankle",
    "S99.929A": "foot",
    "T22.00XA": "upper limb, unspecified site",
    "T69.021A": "foot",
    "T79.A11A": "upper extremity",
    "T84.011A": "hip prosthesis",
    "T87.31": "stump of an arm",
}


@pytest.mark.parametrize(
    ("code", "level"),
    [(code, level) for level, codes in zip(ORDER, (GENERAL, REGIONAL, SPECIFIC), strict=True) for code in codes],
)
def test_read_by_eye(code: str, level: Specificity) -> None:
    assert is_valid(code, TODAY)
    assert specificity(code) == level


def test_size_and_form() -> None:
    codes = complete_codes()
    assert len(codes) == 74_719
    assert all(re.fullmatch(r"[A-Z][0-9A-Z]{2}(\.[0-9A-Z]{1,4})?", code) for code in codes)
    assert datetime.date(2026, 4, 1) == CODE_SET


@pytest.mark.parametrize("code", ["M25.572", "I89.0", "M99.03", "R52", "B20", "R99", "S93.402A", "M80.00XA", "U07.1"])
def test_complete(code: str) -> None:
    assert is_valid(code) is True
    assert is_valid(code, TODAY) is True


@pytest.mark.parametrize(
    "code",
    [
        *("M54", "M25.57", "M99", "M99.0", "S93.402", "S16.1XX", "S93.402AA", "M00-M25", "13", "M54.77"),
        *("m25.572", "M25572", " M25.572", "M25.572 ", "none", "", "97124"),
    ],
)
def test_not_complete(code: str) -> None:
    assert is_valid(code) is False
    assert is_valid(code, TODAY) is False


def test_low_back_pain_was_split() -> None:
    before, after = datetime.date(2021, 9, 30), datetime.date(2021, 10, 1)
    assert is_valid("M54.5", before) is True
    assert is_valid("M54.5", after) is False
    assert is_valid("M54.5", TODAY) is False
    for code in ("M54.50", "M54.51", "M54.59"):
        assert is_valid(code, before) is False
        assert is_valid(code, after) is True
        assert is_valid(code, TODAY) is True
    assert is_valid("M54.5") is is_valid("M54.50") is None


def test_splits_agree_with_the_table() -> None:
    for split in DATED:
        assert split.old not in complete_codes()
        assert {code for code in complete_codes() if code.startswith(split.old)} == set(split.new)
        assert split.effective < CODE_SET
        assert "https://" in split.source


@pytest.mark.parametrize(
    ("code", "level"),
    [
        ("M54.5", "regional"),
        ("M54", "regional"),
        ("M25.57", "specific"),
        ("M25.5", "general"),
        ("M79", "general"),
        ("S93.402", "specific"),
        ("S16.1", "regional"),
        ("M75", "specific"),
        ("M54.7", "general"),
        ("M54.77", "general"),
        ("M54.", "general"),
        ("M", "general"),
        ("S9", "general"),
        ("none", "general"),
        ("", "general"),
        ("m25.572", "general"),
    ],
)
def test_incomplete_and_unknown(code: str, level: Specificity) -> None:
    assert specificity(code) == level


@given(st.sampled_from(sorted(complete_codes())), st.integers(3, 7))
def test_an_incomplete_code_is_never_more_specific_than_what_it_stands_for(code: str, length: int) -> None:
    assert ORDER.index(specificity(code[:length])) <= ORDER.index(specificity(code))


@given(st.text(max_size=9), st.none() | st.dates())
def test_anything_is_answered(code: str, on: datetime.date | None) -> None:
    assert is_valid(code, on) in (True, False, None)
    assert specificity(code) in ORDER


@pytest.mark.parametrize(
    ("first", "last", "levels"),
    [
        ("M40", "M45", {"regional"}),
        ("M47", "M54", {"regional"}),
        ("S00", "S39", {"regional", "specific"}),
        ("S40", "S99", {"specific"}),
        ("R70", "R94", {"general"}),
        ("T36", "T65", {"general"}),
        ("A00", "F99", {"general"}),
        ("H00", "L99", {"general"}),
        ("N00", "QZZ", {"general"}),
        ("U00", "Z99", {"general"}),
        ("G56", "G57", {"specific"}),
        ("M16", "M18", {"specific"}),
        ("M75", "M76", {"specific"}),
    ],
)
def test_blocks_that_are_a_site(first: str, last: str, levels: set[str]) -> None:
    assert {specificity(code) for code in complete_codes() if first <= code[:3] <= last} == levels


def test_the_site_digit_agrees_where_it_is_one() -> None:
    # The fifth character of these joint codes: 0 unspecified, 1 to 7 the shoulder to the foot.
    for code in complete_codes():
        if re.match(r"M(0[0-2]|1[0-2]|25)\.[0-57-9]\d", code) and len(code) >= 6:
            if code[5] in "1234567":
                assert specificity(code) == "specific", code
            elif code[5] == "0":
                assert specificity(code) == "general", code


def test_digest_is_constant_and_covers_the_dated_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", digest())
    assert digest.__wrapped__() == digest()
    monkeypatch.setattr(icd10cm, "DATED", ())
    assert digest.__wrapped__() != digest()


def test_the_first_use_may_come_from_several_threads() -> None:
    icd10cm._table.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(specificity, ["M25.572"] * 32)) == {"specific"}


def build_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_icd10cm", ROOT / "scripts" / "build_icd10cm.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def release() -> ModuleType:
    """The package the table is built from."""
    package: ModuleType = pytest.importorskip("simple_icd_10_cm")
    return package


def test_every_code_of_the_release_is_answered_as_there(release: ModuleType) -> None:
    leaves = set()
    for code in set(release.get_all_codes(with_dots=True)):
        leaf = release.is_category_or_subcategory(code) and release.is_leaf(code)
        if leaf:
            leaves.add(code)
        assert (is_valid(code, TODAY) is True) == leaf, code
    assert leaves == complete_codes()


def test_a_node_has_the_least_of_its_children(release: ModuleType) -> None:
    for code in set(release.get_all_codes(with_dots=True)):
        if release.is_category_or_subcategory(code) and not release.is_leaf(code):
            children = release.get_children(code)
            assert specificity(code) == min((specificity(child) for child in children), key=ORDER.index), code


@pytest.mark.usefixtures("release")
def test_the_shipped_table_is_what_the_script_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["build_icd10cm.py", "--check"])
    assert build_script().main() == 0


@pytest.mark.usefixtures("release")
def test_check_notices_another_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = build_script()
    monkeypatch.setattr(script, "levels", lambda: {"R52": "g"})
    monkeypatch.setattr(script, "TABLE", tmp_path / "icd10cm.txt.gz")
    monkeypatch.setattr(sys, "argv", ["build_icd10cm.py", "--check"])
    assert script.main() == 1
    assert "run it without --check" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["build_icd10cm.py"])
    assert script.main() == 0
    monkeypatch.setattr(sys, "argv", ["build_icd10cm.py", "--check"])
    assert script.main() == 0
