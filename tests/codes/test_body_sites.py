"""Body sites: the tree, and treatment within a prescription."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covrules.codes.body_sites import BODY_SITES, all_within, lies_in

sites = st.sampled_from(BODY_SITES)
some_sites = st.frozensets(sites, max_size=6)


def test_names() -> None:
    assert BODY_SITES[0] == "whole-body"
    assert len(set(BODY_SITES)) == len(BODY_SITES) == 10 + 2 + 11 + 2 * (3 + 11)
    sided = {site.rpartition("-")[0] for site in BODY_SITES if site.endswith(("-left", "-right"))}
    assert sided == {
        *("shoulder", "arm", "upper-arm", "elbow", "forearm", "wrist", "hand"),
        *("leg", "hip", "thigh", "knee", "lower-leg", "ankle", "foot"),
    }


def test_order_is_that_of_the_tree() -> None:
    assert [site for site in BODY_SITES if not site.endswith(("-left", "-right"))] == [
        *(
            "whole-body",
            "head",
            "neck",
            "shoulder",
            "chest",
            "abdomen",
            "back",
            "upper-back",
            "low-back",
            "pelvis",
        ),
        *("arm", "upper-arm", "elbow", "forearm", "wrist", "hand"),
        *("leg", "hip", "thigh", "knee", "lower-leg", "ankle", "foot"),
    ]
    assert BODY_SITES.index("ankle-left") == BODY_SITES.index("ankle") + 1


@pytest.mark.parametrize(
    ("site", "around"),
    [
        ("ankle-left", {"ankle-left", "ankle", "leg-left", "leg", "whole-body"}),
        ("hand-right", {"hand-right", "hand", "arm-right", "arm", "whole-body"}),
        ("shoulder-left", {"shoulder-left", "shoulder", "whole-body"}),
        ("leg-left", {"leg-left", "leg", "whole-body"}),
        ("hip", {"hip", "leg", "whole-body"}),
        ("low-back", {"low-back", "back", "whole-body"}),
        ("pelvis", {"pelvis", "whole-body"}),
        ("whole-body", {"whole-body"}),
    ],
)
def test_a_site_lies_in_these_and_no_others(site: str, around: set[str]) -> None:
    assert {other for other in BODY_SITES if lies_in(site, other)} == around


@given(sites)
def test_every_site_lies_in_itself_and_in_the_whole_body(site: str) -> None:
    assert lies_in(site, site)
    assert lies_in(site, "whole-body")


@given(sites, sites, sites)
def test_lying_in_carries_over(a: str, b: str, c: str) -> None:
    if lies_in(a, b) and lies_in(b, c):
        assert lies_in(a, c)
    if lies_in(a, b) and lies_in(b, a):
        assert a == b


@pytest.mark.parametrize(
    ("treated", "prescribed", "within"),
    [
        (["ankle-left"], ["ankle-left"], True),
        (["ankle-left"], ["leg"], True),
        (["ankle-left", "low-back"], ["leg-left", "back"], True),
        (["ankle-left", "neck"], ["leg-left", "back"], False),
        (["ankle"], ["ankle-left", "ankle-right"], False),
        (["back"], ["upper-back", "low-back"], False),
        (["whole-body"], ["head", "neck"], False),
        (["foot-right"], ["whole-body"], True),
        ([], ["neck"], True),
        ([], [], True),
        (["neck"], [], False),
    ],
)
def test_treated_within_prescribed(treated: list[str], prescribed: list[str], within: bool) -> None:
    assert all_within(treated, prescribed) is within
    assert all_within(frozenset(treated), frozenset(prescribed)) is within


@given(some_sites, some_sites)
def test_within_is_every_treated_in_some_prescribed(treated: frozenset[str], prescribed: frozenset[str]) -> None:
    expected = all(any(lies_in(site, other) for other in prescribed) for site in treated)
    assert all_within(treated, prescribed) == expected


@given(some_sites, some_sites, sites)
def test_prescribing_more_never_narrows(treated: frozenset[str], prescribed: frozenset[str], more: str) -> None:
    if all_within(treated, prescribed):
        assert all_within(treated, prescribed | {more})


def test_an_unknown_site_is_an_error() -> None:
    with pytest.raises(KeyError):
        lies_in("tail", "back")
    with pytest.raises(KeyError):
        all_within(["tail"], ["back"])
