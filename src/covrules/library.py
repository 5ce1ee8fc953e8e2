"""Rulesets found by id: in the folder of a file or among those shipped, and of several versions the one in force."""

import datetime as dt
import os
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import attrs

from covrules import yaml_nodes
from covrules.errors import Problem, RulesetError, did_you_mean
from covrules.kinds import Date, Unfit
from covrules.loading import NotFound, nodes, read_ruleset
from covrules.rulesets import EVER, Period, Ruleset, Version
from covrules.yaml_nodes import MAX_BYTES, Mapping, Node, Scalar, Sequence

_MOST_STEPS: Final = 20
"""How many rulesets may lie between the first and the last of a line of extending ones."""


@attrs.frozen
class File:
    """What a file holds, and what errors call it."""

    data: bytes = attrs.field(repr=False)
    name: str

    @property
    def id(self) -> str:
        """The id of the ruleset in it; where that cannot be read, the name of the file stands for it."""
        return _id(self.data) or Path(self.name).stem

    @property
    def head(self) -> "Head":
        """What has to be known of it before it is read as a whole, which then tells what is wrong in it."""
        return _head(self)


@attrs.frozen
class Head:
    """Which version a file is, and what it extends."""

    version: Version
    extends: tuple[str, ...]


@lru_cache(maxsize=1024)
def _id(data: bytes) -> str | None:
    try:
        return yaml_nodes.peek(yaml_nodes.decode(data, ""), "id")
    except yaml_nodes.Unreadable:
        return None


@lru_cache(maxsize=256)
def _head(file: File) -> Head:
    try:
        root = nodes(file.data, file.name)
    except yaml_nodes.Unreadable:
        return Head(Version(file.id, "", Period()), ())
    keys = {key.text: value for key, value in _items(root)}
    days = {key.text: _day(value) for key, value in _items(keys.get("effective"))}
    since, until = days.get("from"), days.get("until")
    period = EVER if since and until and until <= since else Period(since, until)
    extends = keys.get("extends")
    return Head(
        Version(file.id, "".join(_texts(keys.get("version"))), period),
        tuple(
            text for node in (extends.items if isinstance(extends, Sequence) else [extends]) for text in _texts(node)
        ),
    )


def _items(node: Node | None) -> list[tuple[Scalar, Node]]:
    return node.items if isinstance(node, Mapping) else []


def _texts(node: Node | None) -> tuple[str, ...]:
    return (node.text,) if isinstance(node, Scalar) else ()


def _day(node: Node) -> dt.date | None:
    try:
        return Date().read(node.text) if isinstance(node, Scalar) else None
    except Unfit:
        return None


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Return a file's bytes, never more than can be used; raises RulesetError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or "it cannot be read"
        raise RulesetError(
            [Problem(file=os.fsdecode(path), message=what, expected="a file that can be read")]
        ) from None


def rules_folder() -> Path:
    """Return the folder of the shipped rulesets."""
    packaged = Path(__file__).parent / "rules"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "rules"


def shipped() -> dict[str, tuple[File, ...]]:
    """Return the files of every shipped ruleset by its id, one for each version."""
    folder = rules_folder()
    paths = sorted(folder.rglob("*.yaml"), key=lambda path: (len(path.parts), path))
    return _by_id(File(read_file(path), f"rules/{path.relative_to(folder).as_posix()}") for path in paths)


def beside(path: Path) -> dict[str, tuple[File, ...]]:
    """Return the rulesets in the folder of a file, by id."""
    files = []
    for each in sorted(path.parent.glob("*.yaml")):
        try:
            files.append(File(read_file(each), str(each)))
        except RulesetError:
            continue  # a folder of that name, say; whatever needs it as a ruleset finds it missing
    return _by_id(files)


def _by_id(files: Iterable[File]) -> dict[str, tuple[File, ...]]:
    found: dict[str, tuple[File, ...]] = {}
    for file in files:
        found[file.id] = (*found.get(file.id, ()), file)
    return found


def choose(id: str, files: tuple[File, ...], on: dt.date | None, period: Period = EVER) -> File:
    """Return the version in force on a day, or without one the latest in force in a period; raises NotFound."""
    versions = sorted(files, key=lambda file: file.head.version.period.since or dt.date.min)
    for one, other in pairwise(versions):
        if one.head.version.period.meet(other.head.version.period):
            raise NotFound(
                f"{one.name} and {other.name} are both {id}, in force on the same days",
                "let one end before, or give it another id",
            )
    fitting = [file for file in versions if file.head.version.period.meet(period)]
    if on is not None:
        fitting = [file for file in versions if file.head.version.period.holds(on)]
    if not fitting:
        when = period if on is None else "on that day"
        said = ", ".join(str(file.head.version) for file in versions)
        raise NotFound(f"no version of {id} is in force {when}", f"versions there are: {said}")
    return fitting[-1]


def read(first: File, around: dict[str, tuple[File, ...]], on: dt.date | None) -> Ruleset:
    """Return the ruleset of a file; what it extends is looked for among those around it and among those shipped.

    Raises RulesetError listing everything wrong in any of them.
    """
    known = shipped()
    for id, files in around.items():
        known[id] = _different((*files, *known.get(id, ())))
    needed: dict[str, tuple[File, ...]] = {}
    _gather(first, known, needed)
    return _read(first, tuple(needed.items()), around.get(first.id, (first,)), on)


def _different(files: tuple[File, ...]) -> tuple[File, ...]:
    """Return the files without those that hold the same as one before: a shipped one may be met in its own folder."""
    return tuple({file.data: file for file in reversed(files)}.values())[::-1]


def _gather(file: File, known: dict[str, tuple[File, ...]], needed: dict[str, tuple[File, ...]]) -> None:
    """Add the files of all that a file extends, and of what they extend."""
    for id in file.head.extends:
        if id in known and id not in needed:
            needed[id] = known[id]
            for each in known[id]:
                _gather(each, known, needed)


@lru_cache(maxsize=64)
def _read(
    first: File, needed: tuple[tuple[str, tuple[File, ...]], ...], siblings: tuple[File, ...], on: dt.date | None
) -> Ruleset:
    files = dict(needed)

    def resolved(file: File, trail: tuple[str, ...]) -> Ruleset:
        def find(id: str, period: Period) -> Ruleset:
            if id in trail:
                raise NotFound(f"{' extends '.join([*trail[trail.index(id) :], id])}", "leave one of them out")
            if len(trail) == _MOST_STEPS:
                raise NotFound(f"more than {_MOST_STEPS} rulesets extend one another", "join some of them")
            if id not in files:
                near = did_you_mean(id, shipped())
                place = "it is neither shipped nor in the folder of this file"
                raise NotFound(f"there is no ruleset {id}", near or place)
            return resolved(choose(id, files[id], on, period), (*trail, id))

        versions = [each.head.version for each in (siblings if file is first else files[file.id])]
        dated = any(version.period != EVER for version in versions)
        return read_ruleset(file.data, file.name, find, tuple(versions) if dated else ())

    return resolved(first, (first.id,))
