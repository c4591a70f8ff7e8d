# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the agent in the application's Python and read what it tells.

The agent's source goes in on standard input, with what the inventory declares; nothing is installed or written there.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import signal
import subprocess
import threading
import time
from types import ModuleType
from typing import IO, Any, Callable, List, Mapping, Optional, Sequence, Tuple, Union

from ansible_collections.migrations.rehearsal.plugins.module_utils import (
    agent,
    agent_channel,
    agent_connection,
    agent_database,
    agent_errors,
    agent_fence,
    agent_folding,
    agent_lines,
    agent_measuring,
    agent_messages,
    agent_models,
    agent_observer,
    agent_probe,
    agent_raw,
    agent_sql,
    agent_suspects,
    agent_watcher,
    files,
    names,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_events import Told, read_events
from ansible_collections.migrations.rehearsal.plugins.module_utils.application_masking import EMPTY_ERROR, Event, Log, named_values, to_hide
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import note_process

# In the order in which they import each other.
_AGENT_MODULES: Tuple[ModuleType, ...] = (
    files,
    names,
    agent_channel,
    agent_messages,
    agent_errors,
    agent_fence,
    agent_models,
    agent_sql,
    agent_connection,
    agent_database,
    agent_observer,
    agent_probe,
    agent_measuring,
    agent_raw,
    agent_folding,
    agent_lines,
    agent_suspects,
    agent_watcher,
    agent,
)
_PACKAGE = __name__.rpartition(".")[0]
# A name of its own: an application that has Ansible itself must not meet ours.
_AGENT_PACKAGE = "_rehearsal_agent"

OPERATIONS = ("info", "current", "check", "upgrade", "downgrade")
GRACE_S = 10.0


@dataclasses.dataclass(frozen=True)
class Application:
    """How the project's Python is started and its Alembic configured; what the inventory declares.

    `command` starts Python (`.venv/bin/python`, `docker compose exec -T web python`), in directory `chdir`. `config` is an
    Alembic ini file or a pyproject.toml, `section` its section (`alembic -n`), `x` the `-x name=value` arguments: None for
    `-x name` alone, several values for one that comes several times. `options`
    are set in the configuration before `env.py` runs, literally; a mapping among them sets those of another section. `wrapper`
    is Python code that calls `run()` within what `env.py` needs around it (an application context, an event loop). Of the
    variables that lead to a database, the application gets those in `environment` and no others.
    """

    command: Tuple[str, ...]
    chdir: str = ""
    config: str = "alembic.ini"
    x: Mapping[str, Union[str, None, Sequence[str]]] = dataclasses.field(default_factory=dict)
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    options: Mapping[str, Union[str, Mapping[str, str]]] = dataclasses.field(default_factory=dict)
    section: str = ""
    wrapper: str = ""
    deadline_s: float = 3600.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one operation. `error` and `fence` are None when all went well; values in `events` are masked."""

    exit_code: int
    events: List[Event]
    error: Optional[Event]
    fence: Optional[Event]
    timed_out: bool

    @property
    def succeeded(self) -> bool:
        return self.error is None and self.fence is None and self.exit_code == 0

    def last(self, event: str) -> Optional[Event]:
        """The last event of a name, or None."""
        return next((found for found in reversed(self.events) if found["event"] == event), None)


def run(
    application: Application,
    operation: str,
    *,
    marker_id: Optional[str] = None,
    target: Optional[str] = None,
    events_path: Optional[str] = None,
    log_path: Optional[str] = None,
    on_event: Optional[Callable[[Event], None]] = None,
    pid_path: Optional[str] = None,
    measured: bool = True,
) -> Outcome:
    """Run one operation of the agent to its end. A user's mistake ends in `Outcome.error`, never in an exception.

    `marker_id` is the rehearsal whose copy may be used; None is for `info` only. `events_path` and `log_path` are appended to,
    `pid_path` holds the process group while it runs (see `work_directory.note_process`). Without `measured` there is the fence, and no timeline.
    """
    if operation not in OPERATIONS:
        raise ValueError(f"no such operation: {operation}")
    if not application.command:
        return _refused("CommandMissing", "the application command is empty: it must start the project's Python")
    return _Runner(application, operation, marker_id, target, events_path, log_path, on_event, pid_path, measured).run()


def declared_values(application: Application) -> List[Tuple[str, str]]:
    """(name, value) of everything that the application is told, as far as it may be a secret."""
    return [pair for values in (application.environment, application.x, application.options) for pair in named_values(values)]


def x_arguments(x: Mapping[str, Union[str, None, Sequence[str]]]) -> List[Tuple[str, Optional[str]]]:
    """(name, value) of each -x, one after the other."""
    return [(name, one) for name, value in x.items() for one in ([value] if value is None or isinstance(value, str) else value)]


def agent_script(parameters: Mapping[str, Any]) -> str:
    """The Python program that goes in on standard input: pure ASCII, older Pythons get a clear answer."""
    sources = {_local_name(module): _source(module).replace(_PACKAGE, _AGENT_PACKAGE) for module in _AGENT_MODULES}
    return _BOOTSTRAP.format(
        package=_AGENT_PACKAGE,
        nonce=parameters["nonce"],
        sources=repr(json.dumps(list(sources.items()))),
        parameters=repr(json.dumps(dict(parameters))),
    )


_BOOTSTRAP = """\
import json, os, sys, types
sys.dont_write_bytecode = True
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
if sys.version_info < (3, 8):
    sys.stdout.write("{nonce} " + json.dumps([{{"event": "error", "t": 0, "kind": "PythonTooOld",
        "message": "the application command starts Python %d.%d; 3.8 or later is needed" % sys.version_info[:2]}}]) + "\\n")
    sys.stdout.flush()
    sys.exit(1)
def _load():
    package = types.ModuleType("{package}")
    package.__path__ = []
    sys.modules["{package}"] = package
    for name, source in json.loads({sources}):
        module = types.ModuleType("{package}." + name)
        sys.modules[module.__name__] = module
        setattr(package, name, module)
        exec(compile(source, "<rehearsal " + name + ">", "exec"), module.__dict__)
    return package.agent.main
# A child that multiprocessing spawns would look for a file of this name.
globals().pop("__file__", None)
_load()(json.loads({parameters}))
"""


def _local_name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _source(module: ModuleType) -> str:
    """Source text, also out of the zip file in which Ansible ships modules."""
    source = module.__loader__.get_source(module.__name__)  # type: ignore[union-attr]
    if not isinstance(source, str):
        raise AssertionError("the loader has the text of what it has loaded")
    return source


def _refused(kind: str, message: str) -> Outcome:
    return Outcome(exit_code=-1, events=[], error=_error(kind, message), fence=None, timed_out=False)


def _error(kind: str, message: str, **fields: Any) -> Event:
    return {**EMPTY_ERROR, "event": "error", "t": None, "kind": kind, "message": message, **fields}


class _Runner:
    def __init__(
        self,
        application: Application,
        operation: str,
        marker_id: Optional[str],
        target: Optional[str],
        events_path: Optional[str],
        log_path: Optional[str],
        on_event: Optional[Callable[[Event], None]],
        pid_path: Optional[str],
        measured: bool,
    ) -> None:
        self._application = application
        self._pid_path = pid_path
        nonce = secrets.token_hex(16)
        self._script = agent_script(
            {
                "nonce": nonce,
                "operation": operation,
                "marker_id": marker_id,
                "target": target,
                "config": application.config,
                "section": application.section,
                "x": x_arguments(application.x),
                "environment": dict(application.environment),
                "options": dict(application.options),
                "wrapper": application.wrapper,
                "deadline_s": application.deadline_s,
                "measured": measured,
            }
        )
        hidden = to_hide(declared_values(application))
        self._log = Log(log_path, hidden)
        self._told = Told(nonce, hidden, self._log, events_path, on_event)

    def run(self) -> Outcome:
        application = self._application
        argv = [*application.command, "-"]
        environment = {name: value for name, value in os.environ.items() if not agent_suspects.leads_to_a_database(name, value)}
        # It would have the agent read byte by byte, each with a call of the system; the agent sees to its own output.
        environment.pop("PYTHONUNBUFFERED", None)
        if application.chdir and not os.path.isdir(application.chdir):
            return _refused("DirectoryMissing", f"the application directory {application.chdir} does not exist")
        try:
            process = subprocess.Popen(
                argv,
                cwd=application.chdir or None,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            return _refused("CommandMissing", f"cannot start the application command «{' '.join(application.command)}»: {error.strerror}")
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise AssertionError("it was started with a pipe")
        self._told.open()
        if self._pid_path:
            note_process(self._pid_path, process.pid, group=True)
        feeder = threading.Thread(target=_feed, args=(process.stdin, self._script.encode("ascii")), daemon=True)
        errors = threading.Thread(target=self._log.read, args=(process.stderr,), daemon=True)
        feeder.start()
        errors.start()
        timed_out = True
        try:
            timed_out = not read_events(process, self._told, errors, time.monotonic() + application.deadline_s + GRACE_S)
        finally:
            self._end(process)
            feeder.join(timeout=GRACE_S)
            errors.join(timeout=GRACE_S)
            process.stdout.close()
            self._log.close()
            self._told.close()
            if self._pid_path:
                _remove(self._pid_path)
        return self._outcome(process.returncode, timed_out)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Nothing of the group outlives the run."""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        process.wait()

    def _outcome(self, exit_code: int, timed_out: bool) -> Outcome:
        told = self._told
        error, fence = told.last("error"), told.last("fence")
        running = {"revision": told.revision_running(), "statement": told.statement_running()}
        if error is not None and error["kind"] == "Deadline":
            timed_out = True
            error = {**error, **running}
        elif timed_out:
            error = _error("Deadline", f"not finished within {self._application.deadline_s:g} s", **running)
        elif error is None and fence is None and (exit_code != 0 or told.last("done") is None):
            error = self._ended_early(exit_code)
        return Outcome(exit_code=exit_code, events=told.events, error=error, fence=fence, timed_out=timed_out)

    def _ended_early(self, exit_code: int) -> Event:
        how = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
        command = " ".join(self._application.command)
        said = self._log.tail()
        if self._told.last("hello") is None:
            return _error("NotStarted", f"«{command}» {how} before the agent could start" + (f": {said}" if said else ""))
        statement = self._told.statement_running() or (self._told.last("statement") or {}).get("sql")
        revision = (self._told.last("revision_begin") or {}).get("revision")
        message = f"the application's process {how} without finishing" + (f"; it said: {said}" if said else "")
        return _error("ProcessEnded", message, revision=revision, statement=statement)


def _feed(stream: IO[bytes], data: bytes) -> None:
    try:
        stream.write(data)
        stream.close()
    except OSError:
        pass


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
