"""The commands that stand in the documents: in blocks, in sentences, and in the jobs of a CI."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml
from playbook import ROOT

# A span of code in a sentence is a command if it begins with one of these and says more than its name; statements are for psql.
_PROGRAMS = r"rehearse|ansible(?:-[a-z]+)?|alembic|make|pip|python3?|psql|createdb|pg_[a-z]+|docker|podman|kubectl|ssh[a-z-]*|git|npm|kill|squawk"
_PROGRAM = re.compile(rf"(?:[A-Z_]+=\S+ )*(?:{_PROGRAMS}) \S")
_STATEMENT = re.compile(r"(?:GRANT pg_|CREATE ROLE |ALTER ROLE )")


@dataclasses.dataclass(frozen=True)
class Command:
    """One command where it stands; `job`: all lines that a CI executes one after the other."""

    document: str
    text: str
    job: bool = False

    @property
    def is_statement(self) -> bool:
        """Whether it is for psql."""
        return _STATEMENT.match(self.text) is not None


def documents() -> list[Path]:
    """README and all documents, those of the roles and of the sample application."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "roles").glob("*/README.md"))]
    return [*found, *sorted((ROOT / "examples").rglob("README.md"))]


def commands() -> list[Command]:
    """All commands in the order of the documents, each once in a document."""
    found = [Command(str(path.relative_to(ROOT)), text, job) for path in documents() for text, job in _commands(path.read_text())]
    return list(dict.fromkeys(found))


def _commands(text: str) -> Iterator[tuple[str, bool]]:
    position = 0
    for block in re.finditer(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from _inline(text[position : block.start()])
        yield from _of_block(block[1], block[2])
        position = block.end()
    yield from _inline(text[position:])


def _of_block(language: str, text: str) -> Iterator[tuple[str, bool]]:
    lines = re.sub(r"\\\n\s*", "", text)
    if language == "sh":
        yield from ((line, False) for line in lines.splitlines())
    elif language in ("console", "bash", "shell"):
        for line in re.findall(r"^\$ (.*)$", lines, re.MULTILINE):
            yield re.sub(r"\s+# .*$", "", line).strip(), False
    elif language == "yaml":
        yield from ((script, True) for script in _jobs(text))


def _jobs(text: str) -> Iterator[str]:
    """What GitLab or GitHub would execute; other YAML has nothing of the kind."""
    found = yaml.load(text, Loader=yaml.BaseLoader)
    if not isinstance(found, Mapping):
        return
    for job in itertools.chain(found.values(), (found.get("jobs") or {}).values() if isinstance(found.get("jobs"), Mapping) else ()):
        if not isinstance(job, Mapping):
            continue
        lines: Sequence[str] = [*job.get("before_script", []), *job.get("script", [])]
        lines = lines or [step["run"] for step in job.get("steps", []) if "run" in step]
        if lines:
            yield "\n".join(lines)


def _inline(text: str) -> Iterator[tuple[str, bool]]:
    for span in re.findall(r"`([^`]+)`", text):
        plain = " ".join(span.split())
        if _PROGRAM.match(plain) or (_STATEMENT.match(plain) and "…" not in plain):
            yield plain, False


def filled_in(text: str, values: Mapping[str, Sequence[str]]) -> list[str]:
    """The command with each word that a reader replaces (HOST, ID) by what it stands for; once for each of several values."""
    wanted = [word for word in values if re.search(rf"(?<![\w$]){re.escape(word)}(?!\w)", text)]
    found = []
    for chosen in itertools.product(*(values[word] for word in wanted)):
        said = text
        for word, value in zip(wanted, chosen, strict=True):
            said = re.sub(rf"(?<![\w$]){re.escape(word)}(?!\w)", lambda _match, value=value: value, said)
        found.append(said)
    return found
