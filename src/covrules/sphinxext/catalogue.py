"""The rulesets that a documentation tells of, in all their versions, and what in them uses what."""

import datetime as dt
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import attrs

from covrules import __version__
from covrules.checking import run_examples
from covrules.codes.denials import CARC, RARC
from covrules.conditions import facts_in
from covrules.declaring import Fact
from covrules.errors import Problem, RulesetError, did_you_mean
from covrules.facts import FACTS
from covrules.library import File, Files, among, beside, read_file, resolve, shipped
from covrules.rule import Denial, Disabled, Example, Rule, Status
from covrules.rulesets import Fixed, Ruleset


def key_of(rule: Rule) -> str:
    """Return what a rule is called among the rules of all rulesets."""
    return f"{rule.origin}/{rule.id}"


def codes_of(denial: Denial) -> list[str]:
    """Return the codes of a denial, each with its list.

    >>> codes_of(Denial("151", ("N362",)))
    ['CARC 151', 'RARC N362']
    """
    return [f"CARC {denial.carc}", *[f"RARC {number}" for number in denial.rarc]]


@attrs.frozen(eq=False)
class Edition:
    """A rule as one version of the ruleset that defines it has it."""

    ruleset: Ruleset
    rule: Rule


@attrs.frozen(eq=False)
class Catalogue:
    """Rulesets by id, the versions of each from the oldest to the latest; what they extend is among them.

    `problems` tell of those that cannot be used, `fingerprint` changes with whatever is read.
    """

    versions: Mapping[str, tuple[Ruleset, ...]]
    problems: tuple[str, ...]
    fingerprint: str

    @cached_property
    def rulesets(self) -> Mapping[str, Ruleset]:
        """The latest version of each."""
        return {id: versions[-1] for id, versions in self.versions.items()}

    @cached_property
    def rules(self) -> Mapping[str, tuple[Edition, ...]]:
        """Every rule by its key, as each version of its ruleset has it, the oldest first."""
        found: dict[str, tuple[Edition, ...]] = {}
        for id, versions in self.versions.items():
            for ruleset in versions:
                for rule in ruleset.rules:
                    if rule.origin == id:
                        found[key_of(rule)] = (*found.get(key_of(rule), ()), Edition(ruleset, rule))
        return found

    def rule(self, key: str) -> Edition:
        """Return a rule as the latest version that has it does; raises KeyError."""
        return self.rules[key][-1]

    def keys_of(self, ruleset: str) -> list[str]:
        """Return the rules that a ruleset defines, by their keys."""
        return [key for key, editions in self.rules.items() if editions[-1].rule.origin == ruleset]

    def meant(self, rule: str) -> list[str]:
        """Return the rules meant by a key, or by an id alone: more than one where that does not tell them apart.

        Of several with one id, that of a ruleset which extends none is meant.
        """
        if rule in self.rules:
            return [rule]
        found = [key for key in self.rules if key.partition("/")[2] == rule]
        first = [key for key in found if not self.rule(key).ruleset.extends]
        return first if len(first) == 1 else found

    @cached_property
    def facts(self) -> Mapping[str, tuple[tuple[Fact, tuple[str, ...]], ...]]:
        """Every fact by its path, as it is declared and by which rulesets: none declare those of all rulesets."""
        found: dict[str, dict[Fact, tuple[str, ...]]] = {path: {fact: ()} for path, fact in FACTS.items()}
        for id, ruleset in self.rulesets.items():
            for path, fact in ruleset.declares.items():
                declared = found.setdefault(path, {})
                declared[fact] = (*declared.get(fact, ()), id)
        return {path: tuple(declared.items()) for path, declared in found.items()}

    @cached_property
    def codes(self) -> Mapping[str, tuple[str, ...]]:
        """Every code, with its list, and the rules that deny with it."""
        found: dict[str, tuple[str, ...]] = {f"CARC {number}": () for number in CARC}
        found |= {f"RARC {number}": () for number in RARC}
        for key in self.rules:
            for denial in self.rule(key).rule.denial:
                for code in codes_of(denial):
                    found[code] = tuple(dict.fromkeys((*found.get(code, ()), key)))
        return found

    @cached_property
    def testers(self) -> Mapping[str, tuple[str, ...]]:
        """The rules that test a fact, by its path; a fact tested by none is left out."""
        found: dict[str, tuple[str, ...]] = {}
        for key in self.rules:
            for path in tested_by(self.rule(key).rule):
                found[path] = (*found.get(path, ()), key)
        return found

    def derived_from(self, path: str) -> Iterator[str]:
        """Yield the facts that are worked out from one."""
        for other, declared in self.facts.items():
            if any(path in fact.derived_from for fact, _ in declared):
                yield other

    def fixing(self, path: str) -> Iterator[Fixed]:
        """Yield what is fixed of a fact, once for each ruleset that does so itself."""
        for id, ruleset in self.rulesets.items():
            if path in ruleset.fixed and ruleset.fixed[path].origin == id:
                yield ruleset.fixed[path]

    def holders(self, key: str) -> list[Ruleset]:
        """Return the rulesets other than its own that have a rule as it stands there."""
        origin = key.partition("/")[0]
        return [
            ruleset
            for id, ruleset in self.rulesets.items()
            if id != origin and any(key_of(rule) == key for rule in ruleset.rules)
        ]

    def replacing(self, key: str) -> list[str]:
        """Return the rules that stand directly in the place of a rule."""
        return [other for other in self.rules if (older := replaced_by(self.rule(other).rule)) and key_of(older) == key]

    def leaving_out(self, key: str) -> list[Disabled]:
        """Return how a rule is disabled, once for each ruleset that does so itself."""
        all_ = [(id, disabled) for id, ruleset in self.rulesets.items() for disabled in ruleset.disabled]
        return [disabled for id, disabled in all_ if disabled.origin == id and key_of(disabled.rule) == key]

    def waivers_of(self, key: str) -> list[str]:
        """Return the rules that waive a rule in some ruleset."""
        found = (
            key_of(waiver)
            for ruleset in self.rulesets.values()
            for rule in ruleset.rules
            if key_of(rule) == key
            for waiver in ruleset.waivers(rule)
        )
        return list(dict.fromkeys(found))

    @cached_property
    def _tried(self) -> dict[str, list[tuple[Example, Status]]]:
        return {}

    def examples(self, key: str) -> list[tuple[Example, Status]]:
        """Return the examples of a rule, each with the status that it has when it is run."""
        if key not in self._tried:
            edition = self.rule(key)
            self._tried[key] = [*run_examples(edition.ruleset, edition.rule)]
        return self._tried[key]


def tested_by(rule: Rule) -> tuple[str, ...]:
    """Return every fact that a rule tests, be it only to choose the code it denies with."""
    chosen = [path for denial in rule.denial if denial.when is not None for path in facts_in(denial.when)]
    return tuple(dict.fromkeys([*rule.facts, *chosen]))


def replaced_by(rule: Rule) -> Rule | None:
    """Return the rule that one stands in the place of, also where that had been disabled."""
    return rule.replaces.rule if isinstance(rule.replaces, Disabled) else rule.replaces


# --- reading ----------------------------------------------------------------------------------------------------


_SOURCES: Final = Path(__file__).parents[1]
"""What writes the pages: they are looked at again where it has changed."""


def read(listed: Sequence[str] | None, folder: Path) -> Catalogue:
    """Return the rulesets listed, by shipped ids and by paths from a folder, with all that they extend.

    Without a list, all that are shipped. Files are called by their paths from the folder.
    """
    known = shipped()
    reader = _Reader()
    for entry in known if listed is None else listed:
        if "/" in entry or entry.endswith(".yaml"):
            reader.attempt(lambda entry=entry: reader.add_file(entry, folder))  # type: ignore[misc]
        elif entry in known:
            reader.attempt(lambda entry=entry: reader.add(entry, known))  # type: ignore[misc]
        else:
            hint = did_you_mean(entry, known) or "a path has a slash or ends in .yaml"
            reader.problems[str(Problem(message=f"there is no shipped ruleset {entry!r}", hint=hint))] = None
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(_SOURCES.rglob("*.py")):
        digest.update(path.read_bytes())
    for file in sorted(reader.files, key=lambda file: file.name):
        digest.update(f"\0{file.name}\0".encode() + file.data)
    return Catalogue(reader.found, tuple(reader.problems), digest.hexdigest())


@attrs.define
class _Reader:
    found: dict[str, tuple[Ruleset, ...]] = attrs.field(factory=dict)
    files: set[File] = attrs.field(factory=set)
    problems: dict[str, None] = attrs.field(factory=dict)

    def attempt(self, add: Callable[[], None]) -> None:
        try:
            add()
        except RulesetError as error:
            self.problems |= dict.fromkeys(map(str, error.problems))

    def add_file(self, path: str, folder: Path) -> None:
        """Add the ruleset of a file, with its versions in the same folder."""

        def named(files: Iterable[File]) -> tuple[File, ...]:
            return tuple(attrs.evolve(file, name=_from(folder, file.name)) for file in files)

        first = File(read_file(folder / path), str(folder / path))
        around = {id: named(files) for id, files in beside(folder / path).items()}
        known = among(around) if first.id in around else among(around | {first.id: named([first])})
        self.add(first.id, known, around.get(first.id))

    def add(self, id: str, known: Files, versions: tuple[File, ...] | None = None) -> None:
        """Add a ruleset in all its versions, after those it extends."""
        if id in self.found:
            return
        files = sorted(versions or known[id], key=lambda file: file.head.version.period.since or dt.date.min)
        self.files.update(files)
        read = tuple(resolve(file, known, tuple(files), None) for file in files)
        for parent in dict.fromkeys(parent for ruleset in read for parent in ruleset.extends):
            self.add(parent, known)
        self.found[id] = read


def _from(folder: Path, name: str) -> str:
    return Path(os.path.relpath(name, folder)).as_posix()
