"""Judge the kept evidence of the gallery again and again, without a database, with one rule of the judge changed each time.

    python tests/mutation/judge_gallery.py EVIDENCE [--ids FILE] [--only judge_data.py]

One line of JSON per mutant: its id, name and key, and `by`, the first case that is no longer as documented ("" where all are).
All happens in one process: a mutant is judged in a fork of it, which has the evidence in memory already and puts the changed function in the place
of the original one, and only cases that come by the changed lines are judged. What is outside of functions is imported anew in the fork.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import importlib.abc
import importlib.util
import json
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

HERE = Path(__file__).parent
GALLERY = HERE.parent / "integration"
sys.path.extend([str(HERE), str(GALLERY), str(GALLERY / "gallery")])

import rules  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils import files, shared_json  # noqa: E402
from mutants import Mutant, mutants_of  # noqa: E402

PACKAGE = "ansible_collections.migrations.rehearsal.plugins"
DEADLINE_S = 120
# Beside the cases: what may be declared at all.
EXPRESSIONS = "expressions"
Lines = frozenset[tuple[str, int]]


class Gallery:
    """All cases with their evidence, and which lines of the judge each comes by."""

    def __init__(self, kept: Path) -> None:
        self.kept = kept
        _remember_what_is_read()
        self.files = rules.files()
        self.names = [*_cases(kept), EXPRESSIONS]
        written = importlib.import_module("written_records")
        for name in _cases(kept):
            written.known(name)
        if not self.names:
            raise SystemExit(f"there is no evidence in {kept}")
        # In a fork, so that no module of this process remembers anything of it; what was read comes back by its lines.
        for path in sorted(kept.glob("*/*.json*")):
            _read(str(path))
        self._functions = [
            one for one in gc.get_objects() if isinstance(one, FunctionType) and PACKAGE.replace(".", os.sep) in one.__code__.co_filename
        ]
        gc.collect()
        gc.freeze()
        self.lines: dict[str, Lines] = _in_fork(lambda: _lines_of_cases(kept))
        self._first: list[str] = []

    def fault(self) -> str:
        """The first case that is not as documented, of the judge as it is."""
        return str(_in_fork(lambda: _fault(self.kept, self.names)))

    def noticed_by(self, mutant: Mutant) -> str:
        """The first case that is no longer as documented; "" if none is, "error" or "time" where nothing could be judged."""
        place = mutant.place
        names = self.names
        if place is not None:
            touched = {(mutant.file, line) for line in range(place.first, place.last + 1)}
            names = [name for name in names if self.lines[name] & touched]
        # What noticed others notices this one soonest.
        names = [*(name for name in self._first if name in set(names)), *(name for name in names if name not in self._first)]
        if not names:
            return ""

        def judged() -> str:
            try:
                _put_in(mutant, self._functions)
                return _fault(self.kept, names)
            except Exception as error:  # noqa: BLE001 - any error of a changed judge is noticed
                return f"error: {type(error).__name__}"

        by = str(_in_fork(judged, "time"))
        if by in self.lines:
            self._first = [by, *(name for name in self._first if name != by)][:40]
        return by


def _cases(kept: Path) -> dict[str, Any]:
    """By name and way of proof; imported when it is called, since a changed judge is imported by its cases."""
    every = importlib.import_module("every")
    found = {case.slug: case for case in every.judged() if (kept / case.slug).is_dir()}
    missing = [case.name for case in every.ALL if case.slug not in found]
    if missing:
        raise SystemExit(f"no evidence was kept of {missing}")
    return found


def _fault(kept: Path, names: list[str]) -> str:
    every = importlib.import_module("every")
    answers = {case.name: expected for case, expected in every.LINTED}
    cases = _cases(kept)
    for name in names:
        if name == EXPRESSIONS:
            if importlib.import_module("expecting").misread():
                return name
            continue
        case = cases[name]
        record = case.judge(str(kept / name))
        found = {claim["rule"]: claim["answer"] for claim in record["squawk"]["claims"]}
        expected = answers.get(case.name, {})
        if case.differences(record) or {rule: found.get(rule, "") for rule in expected} != expected:
            return name
    return ""


def _lines_of_cases(kept: Path) -> dict[str, Lines]:
    """By case: which lines of the judge's files it comes by."""
    known = {str(_path(name)): name for name in rules.files()}
    seen: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        name = known.get(frame.f_code.co_filename)
        if name is None:
            return None

        def each(frame: FrameType, event: str, _argument: object) -> Any:
            seen.add((name, frame.f_lineno))
            return each

        return each(frame, event, None)

    found: dict[str, Lines] = {}
    cases = _cases(kept)
    for name in [*cases, EXPRESSIONS]:
        seen.clear()
        sys.settrace(trace)
        try:
            _fault(kept, [name])
        finally:
            sys.settrace(None)
        found[name] = frozenset(seen)
    return found


_documents: dict[int, Any] = {}
_shared = shared_json.Shared()
_read_document, _read_lines = shared_json.Shared.read, files.read_json_lines


def _read(path: str) -> Any:
    # Evidence that was altered shares the rest of its files with the original.
    number = os.stat(path).st_ino
    if number not in _documents:
        _documents[number] = list(_read_lines(path)) if path.endswith(".jsonl") else _read_document(_shared, path)
    return _documents[number]


def _remember_what_is_read() -> None:
    shared_json.Shared.read = lambda _self, path: _read(path)  # type: ignore[method-assign]
    files.read_json_lines = _read


def _in_fork(work: Callable[[], Any], late: Any = None) -> Any:
    """What it returns, in another process; `late` where that takes too long or ends without an answer."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reading)
            signal.alarm(DEADLINE_S)
            with contextlib.redirect_stdout(sys.stderr), open(writing, "wb") as pipe:
                pickle.dump(work(), pipe)
            code = 0
        except BaseException:  # noqa: BLE001 - the fork ends here whatever happens
            traceback.print_exc(limit=-3)
        finally:
            os._exit(code)
    os.close(writing)
    with open(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    if not answer and late is None:
        raise SystemExit("the gallery cannot be judged as it is: mend that first")
    return pickle.loads(answer) if answer else late  # noqa: S301 - of our own


def _path(name: str) -> Path:
    """The file as it was imported."""
    return Path(str(importlib.import_module(f"{PACKAGE}.module_utils.{name.removesuffix('.py')}").__file__))


def _put_in(mutant: Mutant, functions: list[FunctionType]) -> None:
    """Change the judge of this process."""
    path = str(_path(mutant.file))
    changed = compile(mutant.tree, path, "exec", dont_inherit=True)
    if mutant.place is None:
        _import_anew(mutant.file, changed)
        return
    wanted = {(code.co_name, code.co_firstlineno): code for code in _codes(changed)}
    put = 0
    for function in functions:
        if function.__code__.co_filename == path:
            code = wanted.get((function.__code__.co_name, function.__code__.co_firstlineno))
            if code is not None and code != function.__code__:
                function.__code__ = code
                put += 1
    if not put:
        _import_anew(mutant.file, changed)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from _codes(one)


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from another code."""

    def __init__(self, name: str, code: CodeType) -> None:
        self.name = name
        self.code = code

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def exec_module(self, module: Any) -> None:
        exec(self.code, module.__dict__)  # noqa: S102


def _import_anew(file: str, code: CodeType) -> None:
    """Forget all that knows the module, and import it changed when it is asked for."""
    own = {path.stem for path in (GALLERY / "gallery").glob("*.py")} | {"agent_project"}
    kept = {files.__name__, shared_json.__name__}
    for name in list(sys.modules):
        if name in own or name.startswith(f"{PACKAGE}.") and name not in kept:
            if name.count(".") > PACKAGE.count(".") + 1:
                delattr(sys.modules[name.rpartition(".")[0]], name.rpartition(".")[2])
                del sys.modules[name]
            elif name in own:
                del sys.modules[name]
    sys.meta_path.insert(0, _Changed(f"{PACKAGE}.module_utils.{file.removesuffix('.py')}", code))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evidence", type=Path)
    parser.add_argument("--ids", type=Path, help="a file of the ids of the mutants that are tried, one a line; else all")
    parser.add_argument("--one-in", type=int, default=1, help="only so many of them, chosen by what they are (default: all)")
    parser.add_argument("--only", action="append", help="only this file's; may be repeated")
    options = parser.parse_args()
    gallery = Gallery(options.evidence.absolute())
    fault = gallery.fault()
    if fault:
        raise SystemExit(f"not as documented as it is: {fault}")
    wanted = set(options.ids.read_text(encoding="utf-8").splitlines()) if options.ids else None
    for file in options.only or gallery.files:
        for mutant in mutants_of(file):
            if mutant.is_one_in(options.one_in) and (wanted is None or mutant.id in wanted):
                told = {"id": mutant.id, "name": mutant.name, "key": mutant.key, "by": gallery.noticed_by(mutant)}
                print(json.dumps(told, ensure_ascii=False), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
