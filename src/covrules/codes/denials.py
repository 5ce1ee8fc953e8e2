"""The codes a payer's remittance gives as the reason of a denial, in our own words, each with where it was confirmed.

The numbers are the claim adjustment reason codes (CARC) and the remittance advice remark codes (RARC) of X12.
The official wording is copyrighted and not copied here: what a number means was read in the lists that `CONFIRMED`
names, and put shortly in other words. Only the reasons that touch the coverage of a massage are listed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["CARC", "CONFIRMED", "RARC", "Code"]


class Code(NamedTuple):
    """What a number means in our own words, and the list of `CONFIRMED` in which it was read."""

    meaning: str
    source: str


CONFIRMED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "two lists": "two full lists of adjustment reason codes in public repositories, by different authors, which "
        "agree on the number; read 2026-11-22, and again for P17, P21, 287 and 288 on 2026-11-23",
        "older list": 'ResDAC, "Adjustment Reason Code" (resdac.org), list of 2019, read 2026-11-22; the number is '
        "gone from newer lists",
        "remark lists": "at least two independent lists of remittance advice remark codes, read 2026-11-22",
        "state list": "a state Medicaid program's list of remark codes (West Virginia), read 2026-11-22",
    }
)
"""Where the numbers were confirmed."""

CARC: Final[Mapping[str, Code]] = MappingProxyType(
    {
        "1": Code("counts toward the patient's deductible", "two lists"),
        "2": Code("the patient's share in percent (coinsurance)", "two lists"),
        "3": Code("the patient's fixed share (copay)", "two lists"),
        "4": Code("modifier missing or wrong for the procedure", "two lists"),
        "5": Code("place of service does not fit the procedure", "two lists"),
        "8": Code("procedure does not fit the provider's specialty", "two lists"),
        "11": Code("diagnosis does not fit the procedure", "two lists"),
        "12": Code("diagnosis does not fit the kind of provider", "two lists"),
        "15": Code("authorization number missing or wrong (not in newer lists)", "older list"),
        "16": Code("claim lacks information or has an error in it", "two lists"),
        "18": Code("the same claim was sent before", "two lists"),
        "19": Code("a work injury: workers' compensation pays", "two lists"),
        "20": Code("the carrier of the liable party pays", "two lists"),
        "21": Code("the no-fault carrier pays", "two lists"),
        "22": Code("another plan may have to pay first", "two lists"),
        "26": Code("served before the coverage began", "two lists"),
        "27": Code("served after the coverage ended", "two lists"),
        "29": Code("filed too late", "two lists"),
        "31": Code("patient not found among the insured", "two lists"),
        "35": Code("lifetime maximum reached", "two lists"),
        "38": Code("not served or authorized by the network (older code)", "older list"),
        "39": Code("authorization was asked for and refused", "two lists"),
        "49": Code("routine or preventive service", "two lists"),
        "50": Code("not medically necessary in the payer's judgment", "two lists"),
        "55": Code("experimental in the payer's judgment", "two lists"),
        "56": Code("not proven to work in the payer's judgment", "two lists"),
        "58": Code("served in an unsuitable place", "two lists"),
        "96": Code("charge not covered; a remark code says why", "two lists"),
        "97": Code("already paid for within another service", "two lists"),
        "107": Code("the service this one depends on is not on the claim", "two lists"),
        "112": Code("not given to the patient directly, or not documented", "two lists"),
        "119": Code("maximum of the benefit for the period reached", "two lists"),
        "146": Code("diagnosis code not valid on the date of service", "two lists"),
        "148": Code("information from another provider missing or too thin", "two lists"),
        "149": Code("lifetime maximum for this kind of service reached", "two lists"),
        "151": Code("information given does not justify this many or this often", "two lists"),
        "152": Code("information given does not justify a service this long", "two lists"),
        "163": Code("attachment named on the claim did not arrive", "two lists"),
        "165": Code("referral absent or used up (older code)", "older list"),
        "167": Code("diagnosis not covered", "two lists"),
        "170": Code("not paid for this kind of provider", "two lists"),
        "173": Code("no physician prescribed it", "two lists"),
        "174": Code("not prescribed before it was given", "two lists"),
        "175": Code("prescription incomplete", "two lists"),
        "176": Code("prescription no longer current", "two lists"),
        "183": Code("referring provider may not refer for it", "two lists"),
        "184": Code("prescribing provider may not prescribe it", "two lists"),
        "185": Code("rendering provider may not give it", "two lists"),
        "187": Code("paid from a health spending account", "two lists"),
        "197": Code("required authorization absent", "two lists"),
        "198": Code("authorization used up", "two lists"),
        "200": Code("served while the coverage had lapsed", "two lists"),
        "204": Code("not a benefit of the patient's plan", "two lists"),
        "206": Code("provider number (NPI) missing", "two lists"),
        "207": Code("provider number (NPI) invalid", "two lists"),
        "208": Code("provider number (NPI) matches no provider on file", "two lists"),
        "210": Code("authorization asked for too late", "two lists"),
        "222": Code("more than the provider's contract allows in the period", "two lists"),
        "226": Code("information asked of the billing or rendering provider missing", "two lists"),
        "227": Code("information asked of the patient missing", "two lists"),
        "231": Code("two procedures that exclude each other on one day or visit", "two lists"),
        "236": Code("procedures or modifiers that may not be billed together on one day", "two lists"),
        "242": Code("not served by a network or primary care provider", "two lists"),
        "243": Code("not authorized by a network or primary care provider", "two lists"),
        "251": Code("attachment incomplete", "two lists"),
        "252": Code("attachment needed to decide", "two lists"),
        "272": Code("coverage guidelines not met", "two lists"),
        "273": Code("coverage guidelines exceeded", "two lists"),
        "279": Code("not served by a provider of the preferred network", "two lists"),
        "284": Code("authorization is for another service", "two lists"),
        "287": Code("referral used up", "two lists"),
        "288": Code("referral absent", "two lists"),
        "296": Code("authorization is for another provider", "two lists"),
        "299": Code("billing provider may not be paid for it", "two lists"),
        "302": Code("authorization expired", "two lists"),
        "B7": Code("provider not certified for it on the date of service", "two lists"),
        "B12": Code("not documented in the patient's record", "two lists"),
        "B14": Code("only one visit a day is paid", "two lists"),
        "B15": Code("the qualifying service was not given or not covered", "two lists"),
        "P13": Code("reduced or denied under workers' compensation rules", "two lists"),
        "P16": Code("provider not authorized to treat injured workers in the state", "two lists"),
        "P17": Code("attending physician did not authorize the referral (injury claim)", "two lists"),
        "P21": Code("denied under the state's personal injury protection rules", "two lists"),
    }
)
"""Claim adjustment reason codes by number."""

RARC: Final[Mapping[str, Code]] = MappingProxyType(
    {
        "M53": Code("days or units missing or wrong", "remark lists"),
        "M62": Code("authorization code missing or wrong", "remark lists"),
        "M76": Code("diagnosis missing or wrong", "remark lists"),
        "N20": Code("not paid together with another service of the same day", "remark lists"),
        "N31": Code("identifier of the prescriber missing or wrong", "remark lists"),
        "N95": Code("this kind of provider may not bill it", "remark lists"),
        "N115": Code("decided under a local coverage determination", "remark lists"),
        "N130": Code("see the plan's benefit documents for the limits", "remark lists"),
        "N286": Code("identifier of the referring provider missing or wrong", "remark lists"),
        "N290": Code("identifier of the rendering provider missing or wrong", "remark lists"),
        "N362": Code("more days or units than the payer's maximum", "remark lists"),
        "N435": Code("more or more often than allowed in the period, without documents for it", "remark lists"),
        "N574": Code("the ordering or referring provider is of a kind that may not do so", "state list"),
        "N630": Code("attending physician did not authorize the referral", "remark lists"),
        "N640": Code("more or more often than allowed in the period", "remark lists"),
        "N674": Code("a service that must come first was not given", "remark lists"),
        "N822": Code("procedure modifier missing", "remark lists"),
    }
)
"""Remittance advice remark codes by number."""
