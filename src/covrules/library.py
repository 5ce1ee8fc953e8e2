"""Rulesets found by id: in the folder of a file or among those shipped, and of several versions the one in force."""

import codecs
import datetime as dt
import os
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import attrs

from covrules import yaml_nodes
from covrules.errors import Problem, RulesetError, did_you_mean, printable, shown
from covrules.loading import NotFound, nodes, period_of, read_ruleset
from covrules.rulesets import EVER, Period, Ruleset, Version
from covrules.yaml_nodes import MAX_BYTES, Mapping, Node, Scalar, Sequence

Files = dict[str, tuple["File", ...]]
"""Files by the id of the ruleset in them, one for each version."""

_MOST_STEPS: Final = 20
"""How many rulesets there may be in a line in which each extends the next."""


@attrs.frozen
class File:
    """What a file holds, and what errors call it."""

    data: bytes = attrs.field(repr=False)
    name: str

    @property
    def id(self) -> str:
        """The id of the ruleset in it; where that cannot be read, the name of the file stands for it."""
        return _said(self.data).get("id") or Path(self.name).stem

    @property
    def sure(self) -> bool:
        """Whether it says itself that it is a ruleset, and which."""
        said = _said(self.data)
        return "id" in said and said.get("schema", "").startswith("covrules/")

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
def _said(data: bytes) -> dict[str, str]:
    """Return the id and the schema that a file says, if it does; few files of a folder need be read further."""
    try:
        text = yaml_nodes.decode(data, "")
    except yaml_nodes.Unreadable:
        return {}
    return {key: printable(value) for key, value in yaml_nodes.peek(text, "schema", "id").items()}


@lru_cache(maxsize=256)
def _head(file: File) -> Head:
    try:
        root = nodes(file.data, file.name)
    except yaml_nodes.Unreadable:
        root = None
    if not isinstance(root, Mapping):
        return Head(Version(file.id, "", EVER), ())
    version, extends = root.get("version"), root.get("extends")
    return Head(
        Version(file.id, "".join(_texts([version])), period_of(root.get("effective"))),
        _texts(extends.items if isinstance(extends, Sequence) else [extends]),
    )


def _texts(nodes: Iterable[Node | None]) -> tuple[str, ...]:
    return tuple(printable(node.text) for node in nodes if isinstance(node, Scalar))


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


def shipped() -> Files:
    """Return the files of every shipped ruleset by its id, one for each version."""
    folder = rules_folder()
    paths = sorted(folder.rglob("*.yaml"), key=lambda path: (len(path.parts), path))
    return _by_id(File(read_file(path), f"rules/{path.relative_to(folder).as_posix()}") for path in paths)


def beside(path: Path) -> Files:
    """Return the rulesets in the folder of a file, by id."""
    files = []
    for each in filter(Path.is_file, sorted(path.parent.glob("*.yaml"))):
        try:
            files.append(File(read_file(each), shown(str(each))))
        except RulesetError:
            continue  # whatever needs it finds it missing, and says so
    return _by_id(files)


def _by_id(files: Iterable[File]) -> Files:
    """Return the files by id; what does not say that it is a ruleset counts only where no other has that id."""
    found: Files = {}
    for file in files:
        found[file.id] = (*found.get(file.id, ()), file)
    return {id: tuple(file for file in each if file.sure) or each for id, each in found.items()}


def choose(id: str, files: tuple[File, ...], on: dt.date | None, period: Period = EVER) -> File:
    """Return the version in force on a day, or without one the latest in force in a period; raises NotFound."""
    versions = sorted(files, key=lambda file: file.head.version.period.since or dt.date.min)
    for one, other in pairwise(versions):
        if one.head.version.period.meet(other.head.version.period):
            both = f"{one.name} and {other.name} are both {id}, in force on the same days"
            raise NotFound(both, "let one end before, or give it another id")
    if on is None:
        fitting = [file for file in versions if file.head.version.period.meet(period)]
    else:
        fitting = [file for file in versions if file.head.version.period.holds(on)]
    if not fitting:
        when = period if on is None else "on that day"
        raise NotFound(f"no version of {id} is in force {when}", _versions(versions))
    return fitting[-1]


def _versions(files: Iterable[File]) -> str:
    return f"versions there are: {', '.join(str(file.head.version) for file in files)}"


def load_shipped(id: str, on: dt.date | None) -> Ruleset:
    """Return the shipped ruleset of an id, of its versions the one in force on a day or the latest.

    Raises RulesetError.
    """
    known = shipped()
    if id not in known:
        hint = did_you_mean(id, known) or f"shipped are {', '.join(known)}."
        message = f"there is no shipped ruleset {id[:60]!r}"
        raise RulesetError([Problem(message=message, hint=f"{hint} A path has a slash or ends in .yaml.")])
    try:
        first = choose(id, known[id], on)
    except NotFound as missing:
        raise RulesetError([Problem(message=missing.message, hint=missing.hint)]) from None
    return resolve(first, known, known[id], on)


def load_file(path: Path, on: dt.date | None) -> Ruleset:
    """Return the ruleset of a file, which must be in force on the day if one is given; raises RulesetError."""
    first = File(read_file(path), shown(os.fsdecode(path)))
    version, extends = first.head.version, first.head.extends
    around = beside(path) if extends or version.period != EVER else {}
    siblings = _different((first, *around.get(first.id, ())))
    if on is not None and not version.period.holds(on):
        message = f"{version.id} {version.version} is not in force on that day"
        raise RulesetError([Problem(file=first.name, message=message, hint=_versions(siblings))])
    return resolve(first, among(around) if extends else {}, siblings, on)


def among(around: Files) -> Files:
    """Return the rulesets that can be extended: those around a file and those shipped."""
    known = shipped()
    for id, files in around.items():
        known[id] = _different((*files, *[file for file in known.get(id, ()) if file.sure]))
    return known


def resolve(first: File, known: Files, siblings: tuple[File, ...], on: dt.date | None) -> Ruleset:
    """Return the ruleset of a file with what it extends of those known; `siblings` are its versions, itself included.

    Raises RulesetError listing everything wrong in any of them.
    """
    needed = {id: known[id] for id in _extended(first, known)}
    return _read(first, tuple(needed.items()), siblings, tuple(known), on)


def _different(files: tuple[File, ...]) -> tuple[File, ...]:
    """Return the files without those that hold the same as one before: a shipped one may be met in its own folder."""
    by_content = {file.data.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n"): file for file in reversed(files)}
    return tuple(by_content.values())[::-1]


def _extended(first: File, known: Files) -> dict[str, None]:
    """Return the ids of all that a file extends, and of what these extend."""
    found: dict[str, None] = {}
    waiting = [first]
    while waiting:
        for id in waiting.pop().head.extends:
            if id in known and id not in found:
                found[id] = None
                waiting += known[id]
    return found


@lru_cache(maxsize=64)
def _read(
    first: File,
    needed: tuple[tuple[str, tuple[File, ...]], ...],
    siblings: tuple[File, ...],
    known: tuple[str, ...],
    on: dt.date | None,
) -> Ruleset:
    files = dict(needed)
    made: dict[tuple[File, Period], Ruleset] = {}

    def resolved(file: File, trail: tuple[str, ...], within: Period) -> Ruleset:
        def find(id: str, period: Period) -> Ruleset:
            if id in trail:
                raise NotFound(f"{' extends '.join([*trail[trail.index(id) :], id])}", "leave one of them out")
            if len(trail) == _MOST_STEPS:
                raise NotFound(
                    f"a line of more than {_MOST_STEPS} rulesets that extend each the next", "join some of them"
                )
            if id not in files:
                near = did_you_mean(id, known)
                place = "it is neither shipped nor in the folder of this file"
                raise NotFound(f"there is no ruleset {id}", near or place)
            days = within.meet(period) or period
            chosen = choose(id, files[id], on, days)
            if (chosen, days) not in made:
                made[chosen, days] = resolved(chosen, (*trail, id), days)
            return made[chosen, days]

        for id in _extended(file, files):
            if len(files[id]) == 1:
                # What there is no choice of bounds the choice of what it is extended with.
                within = within.meet(files[id][0].head.version.period) or within
        versions = [each.head.version for each in (siblings if file is first else files[file.id])]
        dated = any(version.period != EVER for version in versions)
        return read_ruleset(file.data, file.name, find, tuple(versions) if dated else ())

    return resolved(first, (first.id,), EVER)
