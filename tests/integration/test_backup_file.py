"""An existing backup, of every form that pg_dump has: recognised by its content, restored into the copy, and left as it was."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import backup_file, clean_up, copying, sql_dump
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup_file import BackupFileError
from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import Marker, new_id
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import Session, quote_identifier
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import ToolFailed
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("backup_file")]

FILLED = """
CREATE ROLE {role};
CREATE TABLE people (id int PRIMARY KEY, name text);
INSERT INTO people SELECT n, E'a\\\\b\\tc ' || n FROM generate_series(1, 500) n;
ALTER TABLE people OWNER TO {role};
CREATE TABLE notes (at timestamptz, text text);
GRANT SELECT ON notes TO {role};
ALTER DATABASE {database} SET timezone = 'Europe/Moscow';
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('abc');
"""
# What a dump has within quotes, and psql would obey outside them.
ODD = """CREATE FUNCTION odd() RETURNS text LANGUAGE sql AS $_$
COPY people FROM stdin;
\\! touch {shell}
ALTER DATABASE postgres RENAME TO x;
$_$"""


class Stand:
    """A database, its backups, and copies made of them."""

    def __init__(self, postgres: Any, place: Path) -> None:
        self.postgres, self.place = postgres, place
        self.role = f"owner_{new_id()[-6:]}"
        self.database = postgres.create_database(f"file_{new_id()[-6:]}")
        with Session(postgres.server, self.database, "tests") as session:
            for statement in FILLED.format(role=self.role, database=self.database).strip().split(";\n"):
                session.execute(statement.rstrip(";"))
            session.execute("SET check_function_bodies = off")
            session.execute(ODD.format(shell=self.shell))
            session.execute("INSERT INTO notes (text) VALUES (E'C:\\\\'), (E'a\\n\\\\connect postgres\\nALTER DATABASE postgres RENAME TO x;')")

    @property
    def shell(self) -> Path:
        """What only a shell could make."""
        return self.place / "shell"

    def dump(self, name: str, *options: str) -> Path:
        path = self.place / name
        conninfo = self.postgres.server.conninfo(self.database, "tests")
        subprocess.run(self.postgres.server.tool("pg_dump", *options, f"--file={path}", f"--dbname={conninfo}"), check=True)
        return path

    def rehearse(self, path: Path, server: bool = True) -> tuple[copying.Made, dict[str, Any]]:
        """Make a copy; the rows and their owner as they are there, and nothing left of it afterwards."""
        marker = Marker(new_id(), "backup file/shop", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z")
        work = WorkDirectory.at(str(self.place / "work"), marker.id, "dev")
        work.create(marker)
        wish = copying.Wish(bin_dir=str(self.postgres.cluster.server_bin_dir))
        order = copying.Order(f"copy_{marker.id[-6:]}", marker, work, self.postgres.server if server else None, wish, deadline_s=60)
        try:
            made = copying.from_file(order, str(path), "shop")
            with Session(made.server, order.database, "tests") as session:
                found = session.row(
                    "SELECT (SELECT count(*) FROM people) AS people, (SELECT name FROM people WHERE id = 7) AS name, "
                    "(SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'people') AS owner, current_setting('TimeZone') AS zone"
                )
        finally:
            cleaned = clean_up.clean_up(order.server, order.database, marker.id, work, "none", 60)
        assert (cleaned["left"], cleaned["problems"]) == ([], [])
        return made, found

    def remove(self) -> None:
        self.postgres.drop_database(self.database)
        with Session(self.postgres.server, "postgres", "tests") as session:
            session.execute(f"DROP ROLE IF EXISTS {quote_identifier(self.role)}")


@pytest.fixture(scope="module")
def stand(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    made = Stand(postgres_server, tmp_path_factory.mktemp("files"))
    yield made
    made.remove()


def compressed(path: Path, program: str) -> Path:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    target = path.with_name(f"{path.name}.{program}")
    with open(target, "wb") as output:
        subprocess.run([program, "-c", str(path)], stdout=output, check=True)
    return target


def packed(directory: Path) -> Path:
    target = directory.with_name(f"{directory.name}.tar")
    with tarfile.open(target, "w") as archive:
        archive.add(directory, arcname="last-night")
    return target


def spaced(stand: Stand) -> Path:
    """As from a server whose tables are in tablespaces that dev lacks."""
    path = stand.dump("spaced")
    path.write_text(path.read_text().replace("SET default_tablespace = '';", "SET default_tablespace = fast;"))
    return path


FORMS: dict[str, Callable[[Stand], Path]] = {
    "plain": lambda stand: stand.dump("plain.backup"),
    "plain gzip": lambda stand: compressed(stand.dump("a", "--format=plain"), "gzip"),
    "plain zstd": lambda stand: compressed(stand.dump("b", "--format=plain"), "zstd"),
    "plain bzip2": lambda stand: compressed(stand.dump("e", "--format=plain"), "bzip2"),
    "plain xz": lambda stand: compressed(stand.dump("f", "--format=plain"), "xz"),
    "plain lz4": lambda stand: compressed(stand.dump("g", "--format=plain"), "lz4"),
    "custom xz": lambda stand: compressed(stand.dump("h", "--format=custom", "--compress=0"), "xz"),
    "plain in tablespaces": spaced,
    "plain inserts": lambda stand: stand.dump("inserts.dump", "--inserts"),
    "custom": lambda stand: stand.dump("custom.sql", "--format=custom"),
    "custom gzip": lambda stand: compressed(stand.dump("c", "--format=custom", "--compress=0"), "gzip"),
    "directory": lambda stand: stand.dump("directory", "--format=directory"),
    "packed directory": lambda stand: packed(stand.dump("d", "--format=directory")),
    "tar": lambda stand: stand.dump("tar.gz", "--format=tar"),
}


def digest(path: Path) -> str:
    parts = sorted(path.iterdir()) if path.is_dir() else [path]
    return " ".join(hashlib.sha256(part.read_bytes()).hexdigest() for part in parts)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_recognised_and_restored(stand: Stand, form: str) -> None:
    path = FORMS[form](stand)
    before = digest(path)
    made, found = stand.rehearse(path)
    assert found["people"] == 500 and found["name"] == "a\\b\tc 7"
    assert found["owner"] == stand.role
    assert found["zone"] == ("Europe/Moscow" if not form.startswith("plain") else found["zone"])
    assert made.manifest["backup_file"]["format"] == form.split()[0].replace("packed", "packed directory")
    assert made.copy["proved_by"] == "nothing"
    assert made.manifest["rows"] == {"people": 500, "notes": 2, "alembic_version": 1}
    assert made.manifest["revisions"] == {"alembic_version": ["abc"]}
    assert digest(path) == before


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_in_a_server_of_its_own_the_roles_are_made(stand: Stand, form: str) -> None:
    made, found = stand.rehearse(FORMS[form](stand), server=False)
    assert found["people"] == 500 and found["owner"] == stand.role
    assert made.copy["place"] == "ephemeral" and made.copy["missing_roles"] == []


def refusal(stand: Stand, path: Path) -> str:
    with pytest.raises(BackupFileError) as caught:
        stand.rehearse(path)
    return str(caught.value)


def test_a_dump_that_leads_elsewhere_is_refused_before_anything_runs(stand: Stand) -> None:
    assert "creates, drops or alters a database" in refusal(stand, stand.dump("create.sql", "--create"))
    assert "creates, drops or alters a database" in refusal(stand, stand.dump("clean.sql", "--create", "--clean"))
    shell = stand.place / "shell.sql"
    shell.write_text("SELECT 1;\n\\! touch /tmp/never\n")
    assert "line 2: a command of psql" in refusal(stand, shell)


def test_a_dump_that_hides_where_it_leads_is_refused_before_anything_runs(stand: Stand) -> None:
    evil = stand.place / "evil.sql"
    hidden = f"\\connect postgres\nCREATE TABLE hacked (id int);\n\\! touch {stand.shell}\n"
    evil.write_text(f"CREATE TABLE t (id int);\nSELECT $$\nCOPY t FROM stdin;\n$$;\n{hidden}SELECT $$\n\\.\n$$;\n")
    assert "line 5: a command of psql" in refusal(stand, evil)
    with Session(stand.postgres.server, "postgres", "tests") as session:
        assert session.value("SELECT to_regclass('hacked') IS NULL")
    assert not stand.shell.exists()


def test_psql_itself_refuses_what_it_takes_for_its_commands(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_dump, "_allowed", lambda chunks, _name: chunks)
    hidden = stand.place / "hidden.sql"
    hidden.write_text(f"SELECT 1;\n\\! touch {stand.shell}\nCREATE TABLE people (id int, name text);\n")
    with pytest.raises(ToolFailed, match="restricted"):
        stand.rehearse(hidden)
    assert not stand.shell.exists()


def test_backslashes_in_rows_are_rows(stand: Stand) -> None:
    odd = stand.place / "rows.sql"
    rows = "1\t\\N\n\\\\c other\tx\n"
    odd.write_text(
        f"CREATE TABLE people (id text, name text);\nCREATE TABLE t (a text, b text);\nCOPY t (a, b) FROM stdin;\n{rows}\\.\n\nSELECT 1;\n"
    )
    with pytest.raises(Exception, match="operator does not exist"):  # its people have no numbers: the dump itself went through
        stand.rehearse(odd)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\x7fELF\0\0", "neither SQL nor an archive"),
        (b"--\n-- PostgreSQL database cluster dump\n--\n", "a whole cluster"),
        (b"--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE t (a int);\n", "cut short"),
        (b"COPY t (a) FROM stdin;\n1\n", "cut short"),
        (gzip.compress(b"SELECT 1;\n" * 9999)[:-20], "is damaged"),
    ],
)
def test_what_is_no_backup_is_told(stand: Stand, content: bytes, said: str) -> None:
    path = stand.place / "odd"
    path.write_bytes(content)
    assert said in refusal(stand, path)


def test_a_missing_one_is_told(stand: Stand) -> None:
    assert "there is no backup file" in refusal(stand, stand.place / "nowhere")


def test_a_truncated_archive_is_told(stand: Stand) -> None:
    path = stand.dump("whole", "--format=custom")
    cut = stand.place / "cut"
    cut.write_bytes(path.read_bytes()[:60])
    assert "pg_restore cannot read" in refusal(stand, cut)


def test_the_checksum_is_that_of_the_file(stand: Stand) -> None:
    path = stand.dump("sum", "--format=custom")
    assert backup_file.inspect(str(path)).sha256 == digest(path)
