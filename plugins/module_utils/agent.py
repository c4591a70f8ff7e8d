# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent: drives the project's own Alembic, fenced, and tells what happens.

`application.py` sends it, with the other `agent_*` modules, through standard input into the application's Python (3.8 or later,
SQLAlchemy 1.4 or later, Alembic 1.8 or later). It never edits `env.py`: Alembic's own steps run, each in a wrapper.
"""

from __future__ import annotations

import inspect
import os
import platform
import sys
import threading
import time
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_channel import EXIT_DEADLINE, EXIT_ERROR, Channel
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_errors import Refused, describe_error
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_fence import (
    OPEN_WAYS,
    Fence,
    install_driver_checks,
    install_sqlalchemy_checks,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_models import Models
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_suspects import GIVEN_OPTIONS, find_suspects, replace_environment
from ansible_collections.migrations.rehearsal.plugins.module_utils.agent_watcher import Watcher

# How often somebody looks whether a statement takes long, in seconds.
_LOOK_S = 0.1


def main(parameters: Mapping[str, Any]) -> None:
    """Run one operation; the process ends here, with exit code 0, 1, 70 (fence) or 75 (deadline)."""
    channel = Channel(parameters["nonce"])
    removed = replace_environment(parameters["environment"])
    sys.path[1:1] = [path for path in parameters["environment"].get("PYTHONPATH", "").split(os.pathsep) if path]
    failed = threading.Event()
    run = _Run(channel, parameters, removed)
    _start_deadline(channel, float(parameters["deadline_s"]), failed, run.watcher)
    code = 0
    try:
        run.go()
    except BaseException as error:
        code = EXIT_ERROR
        # First: what else is to be told may have to wait for locks that the application still holds.
        channel.emit("error", **describe_error(error, run.watcher.revision, run.watcher.failed_sql))
        failed.set()
        run.watcher.finish()
    channel.stop(code)


def _start_deadline(channel: Channel, deadline_s: float, failed: threading.Event, watcher: Watcher) -> None:
    """The starter kills us too, but cannot reach into a container. An error that was told already stays the reason."""
    deadline = time.monotonic() + deadline_s

    def watch() -> None:
        while time.monotonic() < deadline:
            time.sleep(max(min(deadline - time.monotonic(), _LOOK_S), 0.0))
            watcher.tell_running()
        if failed.is_set():
            channel.stop(EXIT_ERROR)
        channel.emit("error", kind="Deadline", message=f"not finished within {deadline_s:g} s")
        channel.stop(EXIT_DEADLINE)

    threading.Thread(target=watch, name="rehearsal-deadline", daemon=True).start()


class _Run:
    """One operation on one project."""

    def __init__(self, channel: Channel, parameters: Mapping[str, Any], removed: List[str]) -> None:
        self.channel = channel
        self.parameters = parameters
        self.operation: str = parameters["operation"]
        self.target: str = parameters["target"] or ("" if self.operation == "downgrade" else "head")
        self.removed = removed
        self.watcher = Watcher(channel)
        self.models: Optional[Models] = None
        self.config: Any = None
        self.script: Any = None
        self.contexts = 0
        self.heads_after: List[str] = []

    def go(self) -> None:
        try:
            import alembic
            import sqlalchemy
        except ImportError as error:
            raise Refused(
                "AlembicMissing", f"{sys.executable} has no {error.name}: the application command must start the project's Python"
            ) from None
        self.channel.emit(
            "hello",
            python=platform.python_version(),
            executable=sys.executable,
            alembic=alembic.__version__,
            sqlalchemy=sqlalchemy.__version__,
            pid=os.getpid(),
            directory=os.getcwd(),
            operation=self.operation,
            open_ways=list(OPEN_WAYS),
            removed_environment=self.removed,
        )
        if self.operation == "downgrade" and not self.target:
            raise Refused("TargetMissing", "a downgrade needs a target: revisions separated by commas, or base")
        if self.operation != "info":
            self._build_fence()
        self._load_script()
        if self.operation == "info":
            self._report_script()
        else:
            self._run_environment()
            self.watcher.finish()
        self.channel.emit("done", heads=self.heads_after)

    def _build_fence(self) -> None:
        if not self.parameters["marker_id"]:
            raise Refused("NoMarker", f"operation {self.operation} needs the id of the rehearsal whose copy may be used")
        fence = Fence(self.channel, self.parameters["marker_id"], self._suspects)
        install_driver_checks(fence)
        install_sqlalchemy_checks(fence)
        if self.parameters["measured"]:
            self.watcher.install(fence)

    def _suspects(self, address: Mapping[str, Any]) -> List[str]:
        options: List[Tuple[str, str, str]] = []
        env_file = ""
        if self.config is not None:
            given = {(section, key.lower()) for section, key, _value in self._given_options()}
            for section in self.config.file_config.sections():
                for key in self.config.file_config.options(section):
                    file = GIVEN_OPTIONS if (section, key) in given else self.parameters["config"]
                    try:
                        options.append((file, key, self.config.file_config.get(section, key)))
                    except Exception:
                        continue
        if self.script is not None:
            env_file = os.path.join(self.script.dir, "env.py")
        return find_suspects(address, self.parameters["environment"], dict(self.parameters["x"]), options, env_file, self.removed)

    def _load_script(self) -> None:
        from alembic.config import CommandLine, Config
        from alembic.script import ScriptDirectory

        path: str = self.parameters["config"]
        if not os.path.exists(path):
            raise Refused("ConfigMissing", f"there is no {path} in {os.getcwd()}")
        arguments = ["-c", path]
        if self.parameters["section"]:
            arguments += ["-n", self.parameters["section"]]
        for name, value in self.parameters["x"]:
            arguments += ["-x", name if value is None else f"{name}={value}"]
        command = self.operation if self.operation in ("upgrade", "downgrade") else "current"
        arguments += [command] + ([self.target] if command != "current" else [])
        # Some env.py look at the command line themselves.
        sys.argv = ["alembic", *arguments]
        options = CommandLine(prog="alembic").parser.parse_args(arguments)
        places: Dict[str, Any] = {"file_": path}
        if os.path.basename(path) == "pyproject.toml":
            if not hasattr(CommandLine, "_inis_from_config"):
                raise Refused("AlembicTooOld", "this Alembic cannot be configured in pyproject.toml (1.16 or later can)")
            places = {"file_": "alembic.ini", "toml_file": path}
        elif hasattr(CommandLine, "_inis_from_config"):
            places["toml_file"] = "pyproject.toml"
        self.config = Config(ini_section=options.name, cmd_opts=options, **places)
        for section, name, value in self._given_options():
            self.config.set_section_option(section, name, value.replace("%", "%%"))
        self.script = ScriptDirectory.from_config(self.config)

    def _given_options(self) -> List[Tuple[str, str, str]]:
        """(section, name, value) of the options that the inventory sets or replaces; a mapping is a section of its own."""
        given: List[Tuple[str, str, str]] = []
        for name, value in self.parameters["options"].items():
            if isinstance(value, dict):
                given += [(name, inner, text) for inner, text in value.items()]
            else:
                given.append((self.config.config_ini_section, name, value))
        return given

    def _file_of(self, revision: Any) -> str:
        path = revision.path or ""
        return os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path

    def _report_script(self) -> None:
        revisions = [
            {
                "revision": revision.revision,
                "down_revisions": _as_list(revision.down_revision),
                "depends_on": _as_list(revision.dependencies),
                "branch_labels": sorted(revision.branch_labels),
                "message": revision.doc,
                "file": self._file_of(revision),
            }
            for revision in self.script.walk_revisions()
        ]
        self.channel.emit("script", heads=list(self.script.get_heads()), bases=list(self.script.get_bases()), revisions=revisions)

    def _run_environment(self) -> None:
        """Run env.py, within what the application needs around it, if the inventory says so."""
        failed: List[BaseException] = []

        def run() -> None:
            try:
                self._run_env()
            except BaseException as error:
                failed.append(error)
                raise

        if not self.parameters["wrapper"]:
            run()
            return
        code = compile(self.parameters["wrapper"], "<rehearsal_application.wrapper>", "exec")
        exec(code, {"__name__": "rehearsal_wrapper", "run": run, "config": self.config})
        # A wrapper that passes over an exception must not make a success of it.
        if failed:
            raise failed[0]
        if not self.contexts:
            raise Refused("NothingRan", "rehearsal_application.wrapper ended without calling run()")

    def _run_env(self) -> None:
        from alembic.runtime.environment import EnvironmentContext

        options: Dict[str, Any] = {"fn": self._migrations}
        if self.operation == "current":
            options["dont_mutate"] = True
        elif self.operation == "check":
            self.models = Models(self.config, self.script, self.channel)
            options.update(self.models.options)
        else:
            options.update(as_sql=False, starting_rev=None, destination_rev=self.target, tag=None)
        with EnvironmentContext(self.config, self.script, **options):
            self.script.run_env()
        if not self.contexts:
            raise Refused("NothingRan", f"{_relative_env(self.script)} ended without running migrations (context.run_migrations() was not called)")

    def _migrations(self, heads: Any, context: Any) -> Iterable[Any]:
        """Alembic calls this with the database's revisions; what we return, it runs."""
        self.contexts += 1
        if self.contexts == 1:
            # Not earlier: env.py may say where the revisions are, and Alembic reads them only once.
            self._report_script()
        current = _as_list(heads)
        self.heads_after = current
        self.channel.emit(
            "current",
            heads=current,
            version_table=context.version_table,
            version_table_schema=context.version_table_schema,
            transaction_per_migration=bool(context._transaction_per_migration),
            transactional_ddl=bool(context.impl.transactional_ddl),
        )
        self._require_known(current)
        if self.models is not None:
            self.models.compare(heads, context)
            return []
        steps = self._steps(heads)
        direction = "downgrade" if self.operation == "downgrade" else "upgrade"
        plan = [
            {
                "revision": step.revision.revision,
                "direction": direction,
                "message": step.revision.doc,
                "file": self._file_of(step.revision),
                "line": _line_of(step.revision, direction),
            }
            for step in steps
        ]
        self.channel.emit("plan", steps=plan, target=self.target)
        if self.operation == "current":
            return []
        return self._wrapped(steps, direction, context)

    def _require_known(self, current: Sequence[str]) -> None:
        unknown = []
        for revision in current:
            try:
                known = self.script.get_revision(revision)
            except Exception:
                known = None
            if known is None or known.revision != revision:
                unknown.append(revision)
        if unknown:
            raise Refused(
                "RevisionUnknown",
                f"the database stands at {', '.join(unknown)}, which this project does not have: its revisions are not the ones that production runs",
                revisions=unknown,
            )

    def _steps(self, heads: Any) -> List[Any]:
        if self.operation == "downgrade":
            return self._downgrade_steps(heads)
        script_heads = list(self.script.get_heads())
        if self.target == "head" and len(script_heads) > 1:
            raise Refused(
                "MultipleHeads", f"the project has {len(script_heads)} heads: {', '.join(sorted(script_heads))}", heads=sorted(script_heads)
            )
        return list(self.script._upgrade_revs(self.target, heads))

    def _downgrade_steps(self, heads: Any) -> List[Any]:
        targets = [part.strip() for part in self.target.split(",") if part.strip()]
        if len(targets) == 1 and "," not in self.target:
            return list(self.script._downgrade_revs(targets[0], heads))
        return self._downgrade_to_several(targets, heads)

    def _downgrade_to_several(self, targets: Sequence[str], heads: Any) -> List[Any]:
        """Alembic goes down to one revision only; production may stand on several: what must go is what they do not need."""
        from alembic.runtime.migration import MigrationStep

        keep = {
            revision.revision for revision in self.script.revision_map.iterate_revisions(tuple(targets), "base", inclusive=True, implicit_base=True)
        }
        applied = self.script.revision_map.iterate_revisions(heads, "base", inclusive=True, implicit_base=True)
        down = [revision for revision in applied if revision.revision not in keep]
        return [MigrationStep.downgrade_from_script(self.script.revision_map, revision) for revision in down]

    def _wrapped(self, steps: Sequence[Any], direction: str, context: Any) -> Iterable[Any]:
        for step in steps:
            step.migration_fn = self._wrapper(step.migration_fn, step.revision, direction, context)
            yield step
        # Alembic has written the last step's revision when it asks for the next one.
        self.heads_after = list(context.get_current_heads())
        self.watcher.revision_begins(None)

    def _wrapper(self, migration: Any, revision: Any, direction: str, context: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> None:
            self.watcher.revision_begins(revision.revision, getattr(getattr(revision, "module", None), "__file__", None), context.connection)
            self.channel.emit("revision_begin", revision=revision.revision, direction=direction, message=revision.doc)
            began = self.channel.now()
            migration(*args, **kwargs)
            ms = round(self.channel.now() - began, 3)
            self.watcher.revision_ends()
            self.channel.emit_soon("revision_end", revision=revision.revision, direction=direction, message=revision.doc, ms=ms)

        return run


def _line_of(revision: Any, function: str) -> Optional[int]:
    """Where upgrade() or downgrade() begins in the revision's own file; None where it comes from elsewhere."""
    module = getattr(revision, "module", None)
    code = getattr(inspect.unwrap(getattr(module, function, None)), "__code__", None)  # type: ignore[arg-type]
    if code is None or code.co_filename != getattr(module, "__file__", None):
        return None
    return int(code.co_firstlineno)


def _relative_env(script: Any) -> str:
    return os.path.relpath(os.path.join(script.dir, "env.py"))


def _as_list(value: Optional[Any]) -> List[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
