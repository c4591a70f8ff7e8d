# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server of the copy's own: made for one rehearsal on dev, reached through a private unix socket, gone with its directory.

It lies in `server/` of the work directory. What its system user cannot reach there (the connection's user is root, whom PostgreSQL refuses), and
a socket whose path would be too long, lies in a directory elsewhere that the work directory knows and that is removed with it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import re
import signal
import subprocess
import tempfile
import threading
import time
from typing import Callable, List, Mapping, Optional, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import durable, ephemeral_settings, files, server_settings, system_owner
from ansible_collections.migrations.rehearsal.plugins.module_utils.errors import EphemeralError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.masking import mask_values
from ansible_collections.migrations.rehearsal.plugins.module_utils.pipes import PipePlace
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import (
    Server,
    Session,
    quote_identifier,
    quote_literal,
    tool_environment,
)
from ansible_collections.migrations.rehearsal.plugins.module_utils.server_programs import library_directory
from ansible_collections.migrations.rehearsal.plugins.module_utils.setting_text import list_items
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory, process_start

DIRECTORY = "server"
_STATE = "server.json"
# Beside it for as long as not all of the copy is known to be on the disk.
_NOT_ON_DISK = "not-on-disk"
_DEFAULT_PORT = 5432
_START_S, _STOP_S, _INITDB_S = 120, 120, 120
_LOOK_EVERY_S = 0.005
# Of the server's lock file: where it says how far it has come.
_STATUS_LINE = 7
# sun_path has 108 bytes, the last of them NUL.
_SOCKET_PATH_BYTES = 107


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the inventory says of the copy's own server (`rehearsal_ephemeral`). Empty values are decided here.

    `owner`: system user that runs it when we are root. `directory`: where its data go instead of the work directory. `listen`: addresses beside
    the socket; then `password` is needed. `user`: the role that the application connects as. `settings`: set last, above production's.
    """

    bin_dir: str = ""
    owner: str = ""
    directory: str = ""
    user: str = ""
    listen: Tuple[str, ...] = ()
    port: Optional[int] = None
    password: str = dataclasses.field(default="", repr=False)
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Ephemeral:
    """One such server. `home` holds its data and its log; `sockets` may be beside it."""

    work: WorkDirectory
    home: str
    sockets: str
    port: int
    owner: str
    bin_dir: str
    superuser: str

    @property
    def data(self) -> str:
        """The data directory."""
        return os.path.join(self.home, "data")

    @property
    def log(self) -> str:
        """What the server says. Never row values: statements are not logged."""
        return os.path.join(self.home, "log")

    @property
    def server(self) -> Server:
        """How its superuser reaches it."""
        return Server(bin_dir=self.bin_dir, host=self.sockets, port=self.port, user=self.superuser)

    @property
    def pipes(self) -> PipePlace:
        """Where it reads named pipes of ours."""
        return PipePlace(self.home, self.owner)

    def run(self, program: str, *args: str, timeout_s: float, started: Optional[Callable[[int], None]] = None) -> Tuple[int, str]:
        """Run one of the server programs as its system user: exit code and what it said. `started` is told its pid."""
        return system_owner.run(self.owner, os.path.join(self.bin_dir, program), *args, timeout_s=timeout_s, started=started)

    def start(self) -> None:
        """Start it and wait until it answers; EphemeralError with the end of its log if it does not."""
        try:
            process = self._spawn()
        except (OSError, subprocess.SubprocessError) as error:
            raise EphemeralError(f"«postgres» could not be run: {getattr(error, 'strerror', None) or error}") from None
        # PostgreSQL's immediate shutdown: nothing in it is worth a checkpoint when it is ended from outside.
        self.work.register_process(process.pid, group=False, end_with=signal.SIGQUIT)
        deadline = time.monotonic() + _START_S
        while process.poll() is None and not self._ready(process.pid) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
        if process.poll() is None and self._ready(process.pid):
            # It outlives us; where we outlive it, somebody has to take note of its end.
            threading.Thread(target=process.wait, daemon=True).start()
            return
        process.send_signal(signal.SIGQUIT)
        process.wait()
        self.work.unregister_process(process.pid)
        raise EphemeralError(f"the copy's own server did not start in {self.home}: {self._last_words()}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        """Not through pg_ctl, which looks ten times a second only."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.log)
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, files.PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as log:
            if self.owner:
                entry = pwd.getpwnam(self.owner)
                os.fchown(log.fileno(), entry.pw_uid, entry.pw_gid)
            return subprocess.Popen(
                [os.path.join(self.bin_dir, "postgres"), "-D", self.data],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=tool_environment(),
                cwd="/",
                preexec_fn=system_owner.become(self.owner),
                start_new_session=True,
            )

    def _ready(self, pid: int) -> bool:
        """Whether it lets sessions in, by what it writes into its own lock file."""
        lines = self._lock_file()
        return lines[:1] == [str(pid)] and lines[_STATUS_LINE:] == ["ready"]

    def _lock_file(self) -> List[str]:
        try:
            with open(os.path.join(self.data, "postmaster.pid"), encoding="utf-8", errors="replace") as file:
                return [line.strip() for line in file]
        except OSError:
            return []

    def stop(self, immediately: bool = False) -> None:
        """Stop it, if it runs; EphemeralError if it does not stop."""
        pid = self.pid
        if pid is None:
            return
        started, deadline = process_start(pid), time.monotonic() + _STOP_S

        def runs() -> bool:
            return started is not None and process_start(pid) == started

        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT if immediately else signal.SIGINT)
        while runs() and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
        if runs():
            raise EphemeralError(f"the copy's own server in {self.home} (process {pid}) did not stop within {_STOP_S} s")
        self.work.unregister_process(pid)

    @property
    def pid(self) -> Optional[int]:
        """The server's process, by its own lock file; None if it does not run."""
        try:
            pid = int(self._lock_file()[0])
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                command = stat.read().split("(", 1)[1].rsplit(")", 1)[0]
        except (OSError, ValueError, IndexError):
            return None
        return pid if command.startswith("postgres") and process_start(pid) is not None else None

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.pid is not None

    def _last_words(self) -> str:
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                lines = [line.strip() for line in file if re.search(r"FATAL|PANIC|ERROR|HINT", line)]
        except OSError:
            return ""
        return mask_values(" ".join(line.split("] ", 1)[-1] for line in lines[-3:]))

    def configure(self, phase: str, wish: Wish, settings: Mapping[str, str], listen: bool) -> List[str]:
        """Write its whole configuration for a phase; what of production's preloaded libraries was left out, in words.

        Production's other settings are not in it: `ephemeral_settings.replay` tries each of them on the running server.
        """
        libraries, left_out = self._libraries(settings.get(server_settings.PRELOADED, ""))
        values = {
            **ephemeral_settings.values(phase),
            "listen_addresses": ",".join(wish.listen) if listen else "",
            "port": str(self.port),
            "unix_socket_directories": self.sockets,
            server_settings.PRELOADED: ",".join(libraries),
            # Needed to start at all where production has prepared transactions.
            "max_prepared_transactions": settings.get("max_prepared_transactions", "0"),
        }
        if phase != ephemeral_settings.MEASURING and self._major() >= server_settings.LOGIN_TRIGGERS_SINCE:
            # One that fires at a login would act before anybody could disable it.
            values["event_triggers"] = "off"
        text = "".join(f"{name} = {ephemeral_settings.conf_literal(value)}\n" for name, value in values.items())
        self._write("postgresql.conf", text)
        self._write("pg_hba.conf", "local all all trust\n" + ("host all all all scram-sha-256\n" if listen and wish.listen else ""))
        self._write("pg_ident.conf", "")
        return left_out

    def _major(self) -> int:
        with open(os.path.join(self.data, "PG_VERSION"), encoding="utf-8") as file:
            return int(file.read())

    def _libraries(self, wanted: str) -> Tuple[List[str], List[str]]:
        names = list_items(wanted)
        directory = library_directory(self.bin_dir) if names else None
        kept: List[str] = []
        left_out: List[str] = []
        for name in names:
            plain = os.path.basename(name).split(".")[0]
            if plain in server_settings.ACTING_LIBRARIES:
                left_out.append(f"{server_settings.PRELOADED}: {plain} was left out: it acts on its own")
            elif directory is None or not os.path.exists(os.path.join(directory, f"{plain}.so")):
                left_out.append(f"{server_settings.PRELOADED}: {plain} is not installed on dev")
            else:
                kept.append(plain)
        return kept, left_out

    def _write(self, name: str, text: str) -> None:
        path = os.path.join(self.data, name)
        # Durable with all the rest, in `flush`.
        files.write_bytes(path, text.encode(), flush=False)
        system_owner.own(self.owner, path)

    def restart(self, wish: Wish, settings: Mapping[str, str]) -> List[str]:
        """From here on durable, as production is, and with its settings; what had to be given up for it to start, in words.

        What was written without fsync is on its way to the disk: `settle_on_disk` waits for it. The disk is set to work no sooner, since each file
        that is made or removed meanwhile has to wait for it.
        """
        self.stop()
        files.write_bytes(self.work.file(DIRECTORY, _NOT_ON_DISK), b"", flush=False)
        left_out = self.configure(ephemeral_settings.MEASURING, wish, settings, listen=True)
        try:
            self.start()
        except EphemeralError as error:
            given_up = self._give_up_what_dev_may_lack()
            if not given_up:
                raise
            self.start()
            left_out += [f"{name}: the server did not start with it ({error})" for name in given_up]
        durable.begin(self.data, self.work)
        return left_out

    def flush(self, data: str = "") -> None:
        """Make everything in the data directory (or another one) durable that has left its server. Raises EphemeralError."""
        data = data or self.data
        try:
            durable.finish(data)
        except OSError as error:
            raise EphemeralError(f"the restored copy in {data} could not be flushed to disk: {error.strerror}") from None

    def _give_up_what_dev_may_lack(self) -> List[str]:
        path = os.path.join(self.data, "postgresql.auto.conf")
        with open(path, encoding="utf-8") as file:
            lines = file.readlines()
        given_up = [name for name in (line.split("=", 1)[0].strip() for line in lines) if name in ephemeral_settings.OF_THE_MACHINE]
        self._write("postgresql.auto.conf", "".join(line for line in lines if line.split("=", 1)[0].strip() not in given_up))
        return given_up


# -- Making it --------------------------------------------------------------------------------------------------------------


def place(work: WorkDirectory, rehearsal_id: str, wish: Wish, bin_dir: str, superuser: str) -> Ephemeral:
    """Decide where everything goes and make the directories, empty. The work directory must be there."""
    owner = system_owner.system_user(wish.owner)
    state = work.file(DIRECTORY)
    home = state
    os.makedirs(state, mode=files.PRIVATE_DIRECTORY, exist_ok=True)
    if wish.directory or not system_owner.reaches(owner, state):
        home = system_owner.own(owner, work.make_elsewhere(os.path.join(base_directory(wish, owner), f"rehearsal-{rehearsal_id}")))
    if not system_owner.reaches(owner, bin_dir):
        raise EphemeralError(
            f"system user {owner}, as which the copy's own server runs, cannot reach {bin_dir}: name another rehearsal_ephemeral.bin_dir"
        )
    sockets = os.path.join(home, "socket")
    if len(os.fsencode(os.path.join(sockets, ".s.PGSQL.65535"))) > _SOCKET_PATH_BYTES:
        sockets = system_owner.own(owner, work.make_elsewhere(os.path.join(_short_directory(owner), f"rehearsal-{rehearsal_id}-socket")))
    else:
        os.makedirs(sockets, mode=files.PRIVATE_DIRECTORY, exist_ok=True)
        system_owner.own(owner, sockets)
    port = wish.port or (_free_port(wish.listen[0]) if wish.listen else _DEFAULT_PORT)
    made = Ephemeral(work, home, sockets, port, owner, bin_dir, superuser)
    _save(made)
    return made


def _save(server: Ephemeral) -> None:
    state = {name: value for name, value in dataclasses.asdict(server).items() if name != "work"}
    # A home in the work directory moves with it.
    state["home"] = "" if server.home == server.work.file(DIRECTORY) else server.home
    state["sockets"] = "" if server.sockets == os.path.join(server.home, "socket") else server.sockets
    files.write_json(server.work.file(DIRECTORY, _STATE), state)


def load(work: WorkDirectory) -> Optional[Ephemeral]:
    """The server that a work directory holds; None if there is none."""
    try:
        state = files.read_json(work.file(DIRECTORY, _STATE))
    except (OSError, ValueError):
        return None
    home = state["home"] or work.file(DIRECTORY)
    sockets = state["sockets"] or os.path.join(home, "socket")
    return Ephemeral(work, home, sockets, state["port"], state["owner"], state["bin_dir"], state["superuser"])


def settle_on_disk(work: WorkDirectory, rehearsal_id: str, deadline_s: float) -> Optional[float]:
    """Before anything is measured on a copy in a server of its own: wait until all of it is on the disk, so that nothing of it is being written
    meanwhile. Seconds; None where nothing is to be waited for. Raises PostgresError and EphemeralError.
    """
    own, note = load(work), work.file(DIRECTORY, _NOT_ON_DISK)
    if own is None or not os.path.exists(note):
        return None
    clock = time.monotonic()
    with Session(own.server, "postgres", application_name(rehearsal_id), deadline_s=deadline_s) as session:
        session.execute("CHECKPOINT")
    own.flush()
    os.unlink(note)
    return time.monotonic() - clock


def initialise(server: Ephemeral, wish: Wish, settings: Mapping[str, str]) -> List[str]:
    """initdb, and start it for restoring; what of the preloaded libraries was left out, in words."""
    options = ["--no-sync", "-A", "trust", "-U", server.superuser, "-E", "UTF8", "--locale=C"]
    code, said = server.run("initdb", *options, "-D", server.data, timeout_s=_INITDB_S)
    if code != 0:
        raise EphemeralError(
            f"initdb ended with exit code {code} for the copy's own server in {server.home}: {mask_values(' '.join(said.split())[-500:])}"
        )
    left_out = server.configure(ephemeral_settings.RESTORING, wish, settings, listen=False)
    server.start()
    return left_out


def set_password(server: Ephemeral, wish: Wish, rehearsal_id: str, role: str) -> None:
    """Give the application's role the wished password; without one nobody comes in over TCP. It never is an argument of a program."""
    if wish.password:
        with Session(server.server, "postgres", application_name(rehearsal_id)) as session:
            session.execute("SET password_encryption = 'scram-sha-256'")
            session.execute(f"ALTER ROLE {quote_identifier(role)} PASSWORD {quote_literal(wish.password)}")


def base_directory(wish: Wish, owner: str) -> str:
    """Where the data go if not into the work directory; EphemeralError if the server's system user cannot get there."""
    directory = os.path.abspath(os.path.expanduser(wish.directory or "/var/tmp"))
    existing = directory
    while not os.path.isdir(existing):
        existing = os.path.dirname(existing)
    if not system_owner.reaches(owner, existing):
        raise EphemeralError(f"system user {owner or 'of the connection'} cannot reach {existing}: name another rehearsal_ephemeral.directory")
    return directory


def _short_directory(owner: str) -> str:
    for directory in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if len(os.fsencode(directory)) < 40 and os.access(directory, os.W_OK | os.X_OK) and system_owner.reaches(owner, directory):
            return directory
    raise EphemeralError("no temporary directory with a path that is short enough for a socket: set TMPDIR to one")


def _free_port(address: str) -> int:
    import socket

    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind((address if address != "*" else "", 0))
        return int(probe.getsockname()[1])
