"""Change the judge's rules, or the renderers' decisions, one at a time, and see the tests fail.

    python tests/mutation/mutate.py [--renderers] [--sample 60] [--seed 1] [--only judge_data.py] [--list]

The gallery runs once, with real databases, and keeps its evidence. Then, for each change ("mutant"), all of that evidence is judged again by the
changed judge, in a copy of the collection: the gallery's documented findings must no longer come out. What the gallery bears is given to the unit
tests. A mutant that both bear is a survivor: a rule that nothing holds in place. Some are equivalent to the original; the rest want a test.
With --renderers there is no gallery: what reports are made of is held by unit tests alone, and no database is needed.
A change is one operator, constant, condition or statement. Exit code 1 if there are survivors that EQUIVALENT does not name.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
COLLECTION = Path("ansible_collections/migrations/rehearsal")
FILES = [
    "judge.py", "judge_data.py", "judge_rows.py", "judge_squawk.py", "judge_timeline.py", "judge_way_back.py", "policy.py", "structure_checks.py",
    "structure_indexes.py", "structure_outside.py", "structure_touched.py", "verdict.py",
]  # fmt: skip
UNIT_TESTS = [
    "test_judge.py", "test_judge_timeline.py", "test_judge_way_back.py", "test_outside_world.py", "test_policy.py", "test_squawk.py",
    "test_structure_checks.py", "test_data_diff.py", "test_judge_command.py",
]  # fmt: skip
RENDERERS = [
    "html_compared.py", "html_parts.py", "html_tables.py", "report_chart.py", "report_figures.py", "report_html.py", "report_junit.py",
    "report_markdown.py", "report_sarif.py", "report_text.py",
]  # fmt: skip
RENDERER_TESTS = ["test_renderers.py", "test_reports.py"]
# Text for people, and how much of it: "file:function".
NOT_RULES = {
    *(f"judge_timeline.py:{name}" for name in ("shorten", "duration", "_lock_message", "record_of", "text")),
    *(f"structure_indexes.py:{name}" for name in ("_columns", "_how_to_drop")),
    "judge_way_back.py:_named",
    "judge.py:_clean_up_error",
}
# Mutants that change nothing that can be seen, as they are printed, with the reason.
EQUIVALENT: dict[str, str] = {}
COMPARISONS = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
DEADLINE_S = 120


class Mutant:
    """One change. `number`: of the file's changes, in the order of its nodes."""

    def __init__(self, file: str, tree: ast.Module, line: int, what: str) -> None:
        self.file = file
        self.source = ast.unparse(ast.fix_missing_locations(tree))
        self.name = f"{file}:{line}: {what}"


def mutants_of(file: str) -> Iterator[Mutant]:
    """All changes of a file that are tried."""
    text = (ROOT / "plugins" / "module_utils" / file).read_text(encoding="utf-8")
    original = ast.parse(text)
    owners = _owners(original)
    for number, node in enumerate(ast.walk(original)):
        owner = owners.get(node, "")
        if f"{file}:{owner}" in NOT_RULES:
            continue
        for variant in range(_variants(node)):
            tree = copy.deepcopy(original)
            target = list(ast.walk(tree))[number]
            before = ast.unparse(target).splitlines()[0][:90]
            after = _apply(tree, target, variant)
            if after is not None:
                yield Mutant(file, tree, getattr(node, "lineno", 0), f"{before} → {after}")


def _owners(tree: ast.Module) -> dict[ast.AST, str]:
    """The name of the innermost function that a node is in."""
    found: dict[ast.AST, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            found.update(dict.fromkeys(ast.walk(node), node.name))
    return found


def _variants(node: ast.AST) -> int:
    if isinstance(node, ast.Compare):
        return len(node.ops)
    if isinstance(node, ast.BoolOp):
        return 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return 1
    if isinstance(node, ast.If):
        return 2
    if isinstance(node, ast.Expr) and isinstance(node.value, (ast.Yield, ast.YieldFrom, ast.Call)):
        return 1
    if isinstance(node, ast.Continue):
        return 1
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int)):
        return 1
    if isinstance(node, ast.Name) and node.id in ("INFO", "WARNING", "BLOCKER"):
        return 1
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        return 1
    return 0


def _apply(tree: ast.Module, node: ast.AST, variant: int) -> str | None:
    """Change the node within its tree; what it is now, in short."""
    if isinstance(node, ast.Compare):
        node.ops[variant] = COMPARISONS[type(node.ops[variant])]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.UnaryOp):
        return "without not" if _replace(tree, node, node.operand) else None
    elif isinstance(node, ast.If):
        node.test = ast.Constant(bool(variant))
    elif isinstance(node, (ast.Expr, ast.Continue)):
        return "gone" if _replace(tree, node, ast.Pass()) else None
    elif isinstance(node, ast.Constant):
        node.value = (not node.value) if isinstance(node.value, bool) else int(node.value) + 1  # type: ignore[arg-type]
    elif isinstance(node, ast.Name):
        node.id = {"INFO": "WARNING", "WARNING": "INFO", "BLOCKER": "WARNING"}[node.id]
    elif isinstance(node, ast.BinOp):
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
    return ast.unparse(node).splitlines()[0][:90]


def _replace(tree: ast.Module, old: ast.AST, new: ast.AST) -> bool:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
                return True
            if isinstance(value, list) and any(one is old for one in value):
                value[[one is old for one in value].index(True)] = new
                return True
    return False


class Judges:
    """A copy of the collection, in which one file at a time is another one."""

    def __init__(self, work: Path, tests: list[str]) -> None:
        self.tests = tests
        self.evidence = work / "evidence"
        self.evidence.mkdir()
        self.collections = work / "collections"
        self.module_utils = self.collections / COLLECTION / "plugins" / "module_utils"
        shutil.copytree(ROOT / "plugins", self.collections / COLLECTION / "plugins", ignore=shutil.ignore_patterns("__pycache__"))

    def keep_gallery(self) -> None:
        argv = [sys.executable, "-m", "pytest", "-q", str(ROOT / "tests" / "integration" / "test_gallery.py")]
        environment = {**os.environ, "GALLERY_EVIDENCE": str(self.evidence)}
        if subprocess.run(argv, cwd=ROOT, env=environment, check=False).returncode != 0:
            raise SystemExit("the gallery fails as it is: mend that first")

    def gallery_fails(self) -> bool:
        return any(self.evidence.iterdir()) and self._fails([str(ROOT / "tests" / "mutation" / "judge_gallery.py"), str(self.evidence)])

    def units_fail(self) -> bool:
        paths = [str(ROOT / "tests" / "unit" / name) for name in self.tests]
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

    def try_out(self, mutant: Mutant) -> str:
        """Who noticed: gallery, units or nobody."""
        place = self.module_utils / mutant.file
        original = place.read_bytes()
        try:
            place.write_text(mutant.source, encoding="utf-8")
            return "gallery" if self.gallery_fails() else "units" if self.units_fail() else "nobody"
        finally:
            place.write_bytes(original)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=60, help="how many mutants are tried (default %(default)s; 0: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", choices=FILES + RENDERERS, help="only this file's; may be repeated")
    parser.add_argument("--evidence", type=Path, help="where a run before kept the gallery's evidence, or where to keep it")
    parser.add_argument("--renderers", action="store_true", help="the files that reports are made by, and their unit tests; without the gallery")
    parser.add_argument("--list", action="store_true", help="only list them")
    options = parser.parse_args()
    mutants = [mutant for file in options.only or (RENDERERS if options.renderers else FILES) for mutant in mutants_of(file)]
    if options.sample:
        mutants = sorted(random.Random(options.seed).sample(mutants, min(options.sample, len(mutants))), key=lambda one: one.name)
    if options.list:
        print(*(mutant.name for mutant in mutants), sep="\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutation-") as work:
        judges = Judges(Path(work), RENDERER_TESTS if options.renderers else UNIT_TESTS)
        if options.renderers:
            pass
        elif options.evidence and options.evidence.is_dir() and any(options.evidence.iterdir()):
            judges.evidence = options.evidence.absolute()
        else:
            judges.keep_gallery()
            if options.evidence:
                shutil.copytree(judges.evidence, options.evidence, dirs_exist_ok=True)
        if judges.gallery_fails() or judges.units_fail():
            raise SystemExit("the tests fail as they are: mend that first")
        noticed: dict[str, list[str]] = {"gallery": [], "units": [], "nobody": []}
        for mutant in mutants:
            by = judges.try_out(mutant)
            noticed[by].append(mutant.name)
            print(f"{by:8} {mutant.name}", flush=True)
    survivors = [name for name in noticed["nobody"] if name not in EQUIVALENT]
    print(
        f"\n{len(mutants)} mutants: the gallery notices {len(noticed['gallery'])}, unit tests {len(noticed['units'])} more, {len(survivors)} survive"
    )
    return bool(survivors)


if __name__ == "__main__":
    sys.exit(main())
