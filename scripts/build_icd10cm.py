"""Build the packed table of complete ICD-10-CM codes that covrules.codes.icd10cm reads.

The codes and their descriptions come from the development-only package simple-icd-10-cm 1.5.0, which carries
the tabular list of the April 1 2026 release. The library itself never imports that package.

    python scripts/build_icd10cm.py            write the table
    python scripts/build_icd10cm.py --check    fail when the table on disk is not what would be written

How closely a code names a body site follows from the words of its description, because the digits lie: the
fifth character is the site in most of the musculoskeletal chapter and something else in the rest. The word
"unspecified" is never asked for: in "pain in unspecified knee" only the side is missing, while "unspecified
joint", "unspecified limb" and "unspecified site" hold no site word to begin with.
"""

import argparse
import gzip
import importlib
import re
import sys
from itertools import groupby
from pathlib import Path

TABLE = Path(__file__).resolve().parent.parent / "src" / "covrules" / "codes" / "icd10cm.txt.gz"

GENERAL, REGIONAL, SPECIFIC = "grs"

# A joint, or a part of an arm, a leg or the shoulder. A bare "limb" or "extremity" may be any of the four.
SPECIFIC_WORDS = re.compile(
    r"""\b(
    (upper|lower)\ (limbs?|extremit(y|ies))
    | shoulders? | rotator\ cuff | scapulae? | scapular | clavicle | acromioclavicular | axilla | bicipital
    | (fore)?arms? | elbows? | epicondylitis | olecranon | humer(us|al) | ulnar? | ulnohumeral | radi(us|al)
    | wrists? | carp(us|al) | (carpo)?metacarp\w+ | kienböck's | hands? | clawhand | clubhand | palmar | palm
    | fingers? | thumbs? | knuckle | (heberden|bouchard)'s\ nodes
    | hips? | coxa | acetabul\w+ | thighs? | trochanter\w* | gluteal | psoas | iliotibial | femur | femoral
    | knees? | patell\w+ | (pre|infra)patellar | popliteal | menisc\w+ | cruciate
    | legs? | calf | tibial? | fibular? | peroneal | saphenous
    | ankles? | achilles | foot | (?<!on\ )feet | clubfoot | clawfoot | heels? | calcane\w+ | tars(us|al)
    | metatars\w+ | plantar | toes? | hallux | bunion(ette)?
    | temporomandibular\ joint | sacroili\w+ | sternoclavicular
    )\b""",
    re.VERBOSE,
)

# A region of the head, the neck, the back or the rest of the trunk, or a complaint that lies in one by its
# name.
REGIONAL_WORDS = re.compile(
    r"""\b(
    head | headaches? | cephalgias? | hemicrania | (?<!unrelated\ to\ )migraine
    | skull | scalp | forehead | face | facial | orofacial | cranial\ nerves? | trigeminal | occipital
    | eye | eyelids? | eyeball | ears? | nose | nasal | nostril | cheek | lip | chin | mouth
    | jaws? | mandib\w+ | maxill\w+ | dentofacial | dental | tooth | teeth | mastication
    | neck | throat | pharynx | larynx | torticollis | cervic(al|algia|ogenic|othoracic) | atlanto\W?\w+
    | brachial\ plexus
    | (?<!car\ )trunk | chest | breasts? | thora(x|cic) | thoraco\w+ | precordial | ribs? | sternum
    | intercostal | (chondro)?costal | costovertebral
    | abdom\w+ | suprapubic | flank | quadrant | epigastric | periumbilic\w*
    | groin | perine(al|um) | genital\ region | pelvis | pelvic | buttocks?
    | back | flatback | spine | spinal\ osteochondrosis | vertebrae? | intervertebral | disc\ disorders?
    | dors(algia|opath\w+) | spondyl\w+ | scoliosis | kyphosis | lordosis | postlaminectomy | schmorl's
    | lumb(ar(?!\ (puncture|cerebrospinal))|ago|osacral) | sacr(al|um|ococcygeal) | coccy\w+
    | sciatica | cauda\ equina
    )\b""",
    re.VERBOSE,
)


def main() -> int:
    """Write the table, or compare it with --check; the exit status says whether all is well."""
    parser = argparse.ArgumentParser(description="Build the packed table of ICD-10-CM codes.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    text = table_text(levels()).encode()
    if not check:
        TABLE.write_bytes(gzip.compress(text, 9, mtime=0))
        return 0
    # The text is compared, because another zlib may pack the same text into other bytes.
    if TABLE.exists() and gzip.decompress(TABLE.read_bytes()) == text:
        return 0
    print(f"{TABLE.name} is not what this script writes; run it without --check", file=sys.stderr)
    return 1


def levels() -> dict[str, str]:
    """The level of every complete code, by the dotted code, in order."""
    icd = importlib.import_module("simple_icd_10_cm")
    found = {}
    for code in sorted(set(icd.get_all_codes(with_dots=True))):
        # Some blocks have no code of their own below them and would pass for leaves.
        if not (icd.is_category_or_subcategory(code) and icd.is_leaf(code)):
            continue
        # The seventh character tells the encounter ("initial", "for fracture with routine healing"), not the
        # site.
        stem = icd.get_parent(code) if icd.is_extended_subcategory(code) else code
        found[code] = level(code, icd.get_description(stem), icd.get_description(code[:3]))
    return found


def level(code: str, description: str, category_description: str) -> str:
    """How closely a complete code names a body site, from its own words and those of its category."""
    category = code[:3]
    if category[0] not in "MGRST" or is_finding(category) or is_poisoning(category):
        return GENERAL
    # The blocks of the injury chapter are body regions: the head to the pelvis up to S39, then the limbs.
    if category >= "S40" and category[0] == "S":
        return SPECIFIC
    own = named_site(description)
    # R19 is named for the digestive system beside the abdomen: diarrhea has no site.
    if own != GENERAL or category == "R19":
        return own
    return REGIONAL if category[0] == "S" else named_site(category_description)


def is_finding(category: str) -> bool:
    """Whether the category is an abnormal finding without a diagnosis, in a specimen or an image."""
    return "R70" <= category <= "R94"


def is_poisoning(category: str) -> bool:
    """Whether the category is a poisoning, an adverse effect or a toxic effect."""
    return "T36" <= category <= "T65"


def named_site(description: str) -> str:
    """The closest site a description names.

    Where the disease has a site, that of what comes with it does not count: "disc degeneration, lumbar region
    with lower extremity pain" is a disease of the back.
    """
    words = description.lower()
    for part in (re.split(r"\bwith(?:out)?\b", words)[0], words):
        if SPECIFIC_WORDS.search(part):
            return SPECIFIC
        if REGIONAL_WORDS.search(part):
            return REGIONAL
    return GENERAL


def table_text(levels: dict[str, str]) -> str:
    """The table as text, in the format that covrules.codes.icd10cm describes and reads."""
    lines = []
    for category, codes in groupby(sorted(levels), key=lambda code: code[:3]):
        items = []
        current = ""
        for (stem, at), members in groupby(codes, key=lambda code: (code[:7], levels[code])):
            seventh = "".join(code[7:] for code in members)
            items.append((at if at != current else "") + stem[4:] + (f":{seventh}" if seventh else ""))
            current = at
        lines.append(f"{category} {' '.join(items)}\n")
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
