"""Change the judge's rules, or the renderers' decisions, one at a time, and see the tests fail.

    python tests/mutation/mutate.py [--renderers] [--sample 60] [--seed 1] [--only judge_data.py] [--list]

The gallery runs once, with real databases, and keeps its evidence. Then, for each change ("mutant"), all of that evidence is judged again by the
changed judge (judge_gallery.py): what is documented of the cases must no longer come out. What the gallery bears is given to the unit tests, in a
copy of the collection. A mutant that both bear is a survivor: a rule that nothing holds in place. Some are equivalent to the original; the rest want
a test. With --renderers there is no gallery: what reports are made of is held by unit tests alone, and no database is needed.
A change is one operator, constant, condition or statement. Exit code 1 if there are survivors that EQUIVALENT does not name.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

import rules  # noqa: E402
from mutants import Mutant, mutants_of  # noqa: E402
from rules import EQUIVALENT, RENDERER_TESTS, RENDERERS, ROOT  # noqa: E402

COLLECTION = Path("ansible_collections/migrations/rehearsal")
DEADLINE_S = 120


class Judges:
    """A copy of the collection, in which one file at a time is another one."""

    def __init__(self, work: Path, tests: Callable[[str | None], list[str]], evidence: Path | None = None) -> None:
        self.tests = tests
        self.evidence = (evidence or work / "evidence").absolute()
        self.evidence.mkdir(exist_ok=True)
        self.collections = work / "collections"
        self.module_utils = self.collections / COLLECTION / "plugins" / "module_utils"
        shutil.copytree(ROOT / "plugins", self.collections / COLLECTION / "plugins", ignore=shutil.ignore_patterns("__pycache__"))

    def keep_gallery(self) -> None:
        gallery = ROOT / "tests" / "integration" / "test_gallery.py"
        argv = [sys.executable, "-m", "pytest", "-q", str(gallery), "-k", "not changed_rule"]
        environment = {**os.environ, "GALLERY_EVIDENCE": str(self.evidence)}
        if subprocess.run(argv, cwd=ROOT, env=environment, check=False).returncode != 0:
            raise SystemExit("the gallery fails as it is: mend that first")

    def noticed_by_gallery(self, mutants: Sequence[Mutant]) -> dict[str, str]:
        """Id of a mutant → the case that notices it, "" where none does."""
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as ids:
            ids.write("".join(f"{mutant.id}\n" for mutant in mutants))
            ids.flush()
            argv = [sys.executable, str(ROOT / "tests" / "mutation" / "judge_gallery.py"), str(self.evidence), "--ids", ids.name]
            path = os.pathsep.join([str(ROOT / "collections"), str(ROOT / "src")])
            done = subprocess.run(argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit("the gallery cannot be judged as it is: mend that first")
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return {one["id"]: one["by"] for one in found}

    def units_fail(self, file: str | None = None) -> bool:
        paths = [str(rules.UNIT / name) for name in self.tests(file)]
        return self._fails(
            ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", f"pythonpath={self.collections} src", *paths]
        )

    def _fails(self, words: list[str]) -> bool:
        path = os.pathsep.join([str(self.collections), str(ROOT / "src")])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                [sys.executable, *words],
                cwd=ROOT,
                env=environment,
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=DEADLINE_S,
            )
        except subprocess.TimeoutExpired:
            return True
        return done.returncode != 0

    def units_notice(self, mutant: Mutant) -> bool:
        """Whether unit tests fail with it."""
        place = self.module_utils / mutant.file
        original = place.read_bytes()
        try:
            place.write_text(mutant.source, encoding="utf-8")
            return self.units_fail(mutant.file)
        finally:
            place.write_bytes(original)

    def noticed(self, mutants: Sequence[Mutant], gallery: bool = True) -> Iterator[tuple[Mutant, str]]:
        """Who noticed each: gallery, units or nobody."""
        found = self.noticed_by_gallery(mutants) if gallery else {}
        for mutant in mutants:
            yield mutant, "gallery" if found.get(mutant.id) else "units" if self.units_notice(mutant) else "nobody"


def main() -> int:
    files = rules.files()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=60, help="how many mutants are tried (default %(default)s; 0: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", choices=files + RENDERERS, help="only this file's; may be repeated")
    parser.add_argument("--evidence", type=Path, help="where a run before kept the gallery's evidence, or where to keep it")
    parser.add_argument("--renderers", action="store_true", help="the files that reports are made by, and their unit tests; without the gallery")
    parser.add_argument("--list", action="store_true", help="only list them")
    options = parser.parse_args()
    mutants = [mutant for file in options.only or (RENDERERS if options.renderers else files) for mutant in mutants_of(file)]
    if options.sample:
        mutants = sorted(random.Random(options.seed).sample(mutants, min(options.sample, len(mutants))), key=lambda one: one.name)
    if options.list:
        print(*(mutant.name for mutant in mutants), sep="\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutation-") as work:
        judges = Judges(Path(work), (lambda _file: RENDERER_TESTS) if options.renderers else rules.unit_tests, options.evidence)
        if not options.renderers and not any(judges.evidence.iterdir()):
            judges.keep_gallery()
        if judges.units_fail():
            raise SystemExit("the unit tests fail as they are: mend that first")
        noticed: dict[str, list[Mutant]] = {"gallery": [], "units": [], "nobody": []}
        for mutant, by in judges.noticed(mutants, gallery=not options.renderers):
            noticed[by].append(mutant)
            print(f"{by:8} {mutant.name}", flush=True)
    survivors = [mutant for mutant in noticed["nobody"] if mutant.key not in EQUIVALENT]
    print(
        f"\n{len(mutants)} mutants: the gallery notices {len(noticed['gallery'])}, unit tests {len(noticed['units'])} more, {len(survivors)} survive"
    )
    return bool(survivors)


if __name__ == "__main__":
    sys.exit(main())
