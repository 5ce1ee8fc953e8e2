"""Writing files that are read again: values in YAML, and a file put in its place as a whole or not at all."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import yaml

from covrules.errors import Problem, RulesetError
from covrules.kinds import Kind, SetOf, Text

# Without the word null, which would be read as nothing.
_BARE: Final = re.compile(r"(?![Nn]ull$|NULL$)[A-Za-z0-9]+([-.][A-Za-z0-9]+)*")


def written_value(kind: Kind, value: Any) -> str:
    """Return a value of a kind in YAML, in one line.

    >>> from covrules.facts import FACTS
    >>> written_value(FACTS["plan.accepted_credentials"].kind, frozenset({"RN", "LMT"}))
    '[LMT, RN]'
    >>> written_value(FACTS["plan.payer"].kind, "none")
    '"none"'
    """
    plain = kind.plain(value)
    if isinstance(plain, list):
        assert isinstance(kind, SetOf), "only sets are lists"
        return listed(written_value(kind.of, element) for element in plain)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    return str(plain) if not isinstance(kind, Text) and _BARE.fullmatch(str(plain)) else quoted(str(plain))


def listed(parts: Iterable[str]) -> str:
    """Return a list of what is in YAML already."""
    return f"[{', '.join(parts)}]"


def quoted(text: str) -> str:
    """Return a text between double quotes, in one line."""
    written: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=2**31)
    return written.removesuffix("\n")


def replace(path: Path, old: bytes | None, new: bytes) -> None:
    """Put a file in its place as a whole or not at all, `old` being what is there; its folder is made if need be.

    Raises RulesetError where it cannot be written, and where something else is there by now.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                file.write(new)
                file.flush()
                os.fsync(file.fileno())
            if (target.read_bytes() if target.exists() else None) != old:
                message = "somebody else has changed the file meanwhile"
                raise RulesetError([Problem(file=str(path), message=message, hint="it is left as it is: begin again")])
            if old is not None:
                shutil.copymode(target, temporary)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        message = error.strerror or "it cannot be written"
        raise RulesetError(
            [Problem(file=str(path), message=message, expected="a place where a file can be written")]
        ) from None
