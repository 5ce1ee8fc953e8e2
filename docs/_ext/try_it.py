"""Sphinx extension: puts the library, and a Python that runs in browsers, beside the page "Try it".

After an HTML build it fetches Pyodide from the npm registry and the packages covrules needs from PyPI (by exact
versions and digests, with npm and pip), builds the wheel of this tree, and writes `_static/try/manifest.json`, which
tells the page what there is. What was fetched is kept beside the doctrees, and fetched again only when a version
changes. Every name holds a digest of what is in the file, so no browser keeps an old one.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

import covrules
import try_page
from covrules.case_files import read_case
from covrules.library import shipped

PAGE: Final = "try"
PYODIDE: Final = "314.0.7"
PYODIDE_SHA512: Final = "0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A=="
PYTHON: Final = "3.14"
"""The Python in this version of Pyodide, for which packages are fetched."""
PYODIDE_FILES: Final = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
ROOT: Final = Path(__file__).resolve().parents[2]
BASE: Final = "medical-massage"
_REQUIREMENTS: Final = Path(__file__).with_suffix(".requirements.txt")
_WHEEL_FROM: Final = ("pyproject.toml", "README.md", "LICENSE", "src/covrules", "rules")
_COMPILED: Final = (".so", ".pyd", ".dylib")

_log = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, Any]:
    """Join the build."""
    app.connect("html-page-context", _add_files)
    app.connect("build-finished", _pack)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _add_files(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    if page == PAGE:
        app.add_css_file("try/try.css")
        app.add_js_file("try/try.js", defer="defer")


def _pack(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.name == "html" and PAGE in app.env.found_docs:
        cache = Path(app.doctreedir) / "try"
        cache.mkdir(parents=True, exist_ok=True)
        pack(Path(app.outdir) / "_static" / "try", cache)


def pack(out: Path, cache: Path) -> None:
    """Write all that the page loads into a folder; raises ExtensionError where something cannot be had."""
    packed = out / "packed"
    python = _kept(cache, "pyodide", (PYODIDE_SHA512,), _fetch_pyodide)
    wheels = _kept(cache, "wheels", (_REQUIREMENTS.read_text(), PYTHON), _fetch_wheels)
    own = _kept(cache, "own", (_digest(_files(_WHEEL_FROM)),), _build_wheel)
    shutil.rmtree(packed, ignore_errors=True)
    folder = packed / f"pyodide-{PYODIDE}-{_digest(_files_in(python))}"
    shutil.copytree(python, folder)
    archives = [*_files_in(wheels), *_files_in(own), Path(try_page.__file__)]
    manifest = {
        "worker": _digest([out / "worker.mjs"]),
        "pyodide": f"packed/{folder.name}/",
        "archives": [f"packed/{_copied(path, packed)}" for path in archives],
        "rulesets": list(map(_about, shipped())),
        "cases": [_case(path) for path in sorted((ROOT / "examples").glob("*.*")) if _is_case(path)],
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1))


# --- what the page is told --------------------------------------------------------------------------------------


def _about(id: str) -> dict[str, str]:
    ruleset = covrules.load(id)
    return {"id": id, "title": ruleset.title, "status": ruleset.status, "layer": _folder(ruleset.place.file)}


def _folder(file: str) -> str:
    """Return the folder that a shipped ruleset is in, which says what it is of; the base is in none."""
    return Path(file).parent.name if Path(file).parent.name != "rules" else ""


def _is_case(path: Path) -> bool:
    return path.suffix in (".yaml", ".json") and path.name != "expected.json"


def _case(path: Path) -> dict[str, Any]:
    title = path.stem.replace("-", " ").capitalize()
    return {"title": title, "facts": try_page.typed_facts(read_case(path.read_bytes(), path.name))}


# --- what is fetched and built ----------------------------------------------------------------------------------


def _fetch_pyodide(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise ExtensionError(
            "npm is needed to fetch Pyodide, the Python in the page try.md: install Node.js, or build without the "
            "page by leaving try_it out of the extensions in docs/conf.py"
        )
    with tempfile.TemporaryDirectory() as temporary:
        _run([npm, "pack", "--silent", f"pyodide@{PYODIDE}"], temporary)
        tarball = next(Path(temporary).glob("*.tgz"))
        found = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        if found != PYODIDE_SHA512:
            raise ExtensionError(f"pyodide {PYODIDE} is not what it was: sha512 {found}, expected {PYODIDE_SHA512}")
        with tarfile.open(tarball) as archive:
            for name in PYODIDE_FILES:
                (folder / name).write_bytes(_member(archive, name))
            lock = json.loads(_member(archive, "pyodide-lock.json"))
    (folder / "lock.json").write_text(json.dumps({"info": lock["info"], "packages": {}}))


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(f"package/{name}")
    if member is None:
        raise ExtensionError(f"pyodide {PYODIDE} has no {name}")
    return member.read()


def _fetch_wheels(folder: Path) -> None:
    only = ["--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp"]
    only += ["--platform", "manylinux2014_x86_64"]
    _run(_pip("download", "--no-deps", "--require-hashes", *only, "-d", str(folder), "-r", str(_REQUIREMENTS)))
    for wheel in _files_in(folder):
        _leave_out_compiled(wheel)


def _leave_out_compiled(wheel: Path) -> None:
    """Take compiled modules out of a wheel: they are for a processor, not for a browser."""
    with zipfile.ZipFile(wheel) as archive:
        kept = {info: archive.read(info) for info in archive.infolist() if not info.filename.endswith(_COMPILED)}
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, data in kept.items():
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)


def _build_wheel(folder: Path) -> None:
    _run(_pip("wheel", "--no-deps", "-w", str(folder), str(ROOT)))


def _pip(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]


def _run(command: list[str], folder: str | None = None) -> None:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if ran.returncode != 0:
        raise ExtensionError(
            f"the page try.md needs what this command could not get: {' '.join(command)}\n{ran.stderr}"
        )


# --- files ------------------------------------------------------------------------------------------------------


def _kept(cache: Path, name: str, of: Iterable[str], make: Callable[[Path], None]) -> Path:
    """Return a folder with what is made of something, made anew only when that has changed."""
    folder = cache / f"{name}-{hashlib.sha256(' '.join(of).encode()).hexdigest()[:12]}"
    if not folder.is_dir():
        _log.info("packing %s for the page %s", name, PAGE)
        for old in cache.glob(f"{name}-*"):
            shutil.rmtree(old)
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            make(made)
            made.rename(folder)
    return folder


def _files(places: Iterable[str]) -> list[Path]:
    return [file for place in places for file in _files_in(ROOT / place)]


def _files_in(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(path for path in place.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _copied(path: Path, folder: Path) -> str:
    """Copy a file under a name with its digest, and return that."""
    name = f"{path.stem}-{_digest([path])}{path.suffix}"
    shutil.copyfile(path, folder / name)
    return name
