"""The tree of body sites, and whether what is treated lies within what is prescribed."""

from collections.abc import Collection
from typing import Final

__all__ = ["BODY_SITES", "all_within", "lies_in", "widest"]

_SIDES: Final = ("left", "right")

# Each site with its parts. The sites of a limb, and the shoulder, have a left and a right.
_UNSIDED: Final = {
    "head": (),
    "neck": (),
    "shoulder": (),
    "chest": (),
    "abdomen": (),
    "back": ("upper-back", "low-back"),
    "pelvis": (),
    "arm": ("upper-arm", "elbow", "forearm", "wrist", "hand"),
    "leg": ("hip", "thigh", "knee", "lower-leg", "ankle", "foot"),
}
_WITH_SIDES: Final = ("shoulder", "arm", "leg")


def _around() -> dict[str, frozenset[str]]:
    """Every site with the sites it lies in, itself among them, in the order of the tree."""
    around = {"whole-body": frozenset({"whole-body"})}
    for site, parts in _UNSIDED.items():
        sides = _SIDES if site in _WITH_SIDES else ()
        around[site] = frozenset({site, "whole-body"})
        for side in sides:
            around[f"{site}-{side}"] = around[site] | {f"{site}-{side}"}
        for part in parts:
            around[part] = around[site] | {part}
            for side in sides:
                around[f"{part}-{side}"] = around[part] | around[f"{site}-{side}"] | {f"{part}-{side}"}
    return around


_AROUND: Final = _around()

BODY_SITES: Final[tuple[str, ...]] = tuple(_AROUND)
"""The name of every body site: the whole body, then each site followed by its sides and its parts."""


def lies_in(site: str, other: str) -> bool:
    """Whether one body site is another or a part of it.

    Raises KeyError when `site` is not one of `BODY_SITES`.

    >>> lies_in("ankle-left", "ankle"), lies_in("ankle-left", "leg-left"), lies_in("ankle-left", "leg-right")
    (True, True, False)
    """
    return other in _AROUND[site]


def widest(sites: Collection[str]) -> frozenset[str]:
    """The sites that lie in no other of them.

    >>> sorted(widest(["ankle-left", "leg", "neck"]))
    ['leg', 'neck']
    """
    return frozenset(site for site in sites if _AROUND[site].isdisjoint({*sites} - {site}))


def all_within(treated: Collection[str], prescribed: Collection[str]) -> bool:
    """Whether every treated body site lies in a prescribed one.

    The left and the right site together do not make the site without a side: a treated "ankle" lies in no
    prescription of "ankle-left" and "ankle-right".

    Raises KeyError when a treated site is not one of `BODY_SITES`.

    >>> all_within(["ankle-left", "neck"], ["leg", "neck"])
    True
    >>> all_within(["ankle"], ["ankle-left", "ankle-right"])
    False
    """
    for site in treated:
        if _AROUND[site].isdisjoint(prescribed):
            return False
    return True
