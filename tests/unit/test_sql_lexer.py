"""Plain SQL is read as psql reads it: what psql would obey is refused, and what only looks like it passes."""

from __future__ import annotations

import io

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import sql_dump, sql_lexer
from ansible_collections.migrations.rehearsal.plugins.module_utils.backup_file import BackupFileError
from ansible_collections.migrations.rehearsal.plugins.module_utils.role_statements import Roles

FUNCTION = b"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS "

REFUSED = {
    "in the middle of a line": (b"SELECT 1 \\! touch x\n;\n", "command of psql"),
    "after blanks": (b"  \\connect other\n", "command of psql"),
    "COPY in dollar quotes": (b"SELECT $$\nCOPY t FROM stdin;\n$$;\n\\connect postgres\nSELECT $$\n\\.\n$$;\n", "line 4: a command of psql"),
    "COPY in a string": (b"SELECT '\nCOPY t FROM stdin;\n';\n\\connect postgres\nSELECT '\n\\.\n';\n", "line 4: a command of psql"),
    "COPY in a comment": (b"/* /* */\nCOPY t FROM stdin;\n*/\n\\! x\n\\.\n", "line 4: a command of psql"),
    "COPY in a routine's body": (
        b"CREATE FUNCTION f() RETURNS void BEGIN ATOMIC SELECT 1;\nCOPY t FROM stdin;\n\\! x\n\\.\nEND;\n",
        "COPY within another statement",
    ),
    "COPY behind a routine called begin": (
        FUNCTION.replace(b"f()", b"begin()") + b"'select 1'; COPY t FROM stdin;\n\\! x\n\\.\nSELECT 1 AS end;\n",
        "COPY within another statement",
    ),
    "COPY in brackets": (b"SELECT (1; COPY t FROM stdin;\n\\! x\n\\.\n", "COPY within another statement"),
    "COPY of a column called stdin": (b"COPY t FROM '/x' WHERE a IS DISTINCT FROM stdin;\n\\! x\n\\.\n", "COPY to or from a file"),
    "COPY of a query": (b"COPY (SELECT a FROM stdin) TO stdout;\n\\! x\n\\.\n", "command of psql|COPY to or from"),
    "COPY with more on its line": (b"COPY t FROM stdin; SELECT 1;\n1\n\\.\n", "not the last of its line"),
    "a comment that ends with a carriage return": (b"-- \r\\! x\n", "command of psql"),
    "a dollar within a word": (b"SELECT 1 AS a$$;\n\\! x\n-- $$;\n", "command of psql"),
    "a dollar after a number": (b"SELECT 1e5$$ \\! x $$;\n", "versions of psql read differently"),
    "a quote after a number": (b"SELECT 1e'\\';\n\\! x\n';\n", "versions of psql read differently"),
    "an escaped quote": (b"SELECT E'\\''; \\! x\n-- '\n", "command of psql"),
    "a backslash that escapes nothing": (b"SELECT 'a\\'; \\! x\n-- '\n", "command of psql"),
    "a backslash that escapes": (b"SET standard_conforming_strings = off;\nSELECT 'a\\''; \\! x\n-- '\n", "command of psql"),
    "strings read otherwise on the way": (b"SET standard_conforming_strings = off; SELECT 1;\n", "not set as pg_dump"),
    "a string in two lines": (b"SELECT E'a'\n'\\'';\n\\! x\n-- '\n", "psql and the server read differently"),
    "an encoding with quotes in its characters": (b"SET client_encoding = 'SJIS';\n", "--encoding=UTF8"),
    "a zero byte": (b"SELECT $x$ \0 $x$;\n\\! x\n", "zero byte"),
    "a byte order mark": (b"\xef\xbb\xbfE'\\''; \\! x\n-- '\n", "command of psql"),
    "a guard that hides one": (b"\\unrestrict abc \\\\ \\! x\n", "command of psql"),
    "a database": (b"COMMIT; DROP DATABASE other;\n", "creates, drops or alters a database"),
    "a role": (b"/* */ CREATE ROLE x;\n", "about the whole server"),
    "a user": (b"ALTER USER x PASSWORD 'y';\n", "about the whole server"),
    "a membership": (b"GRANT a TO b;\n", "about the whole server"),
    "the server's settings": (b"alter system SET fsync = off;\n", "about the whole server"),
    "a program": (b"COPY t TO PROGRAM 'sh';\n", "COPY to or from a file"),
    "an open string": (b"SELECT 'a;\n", "cut short"),
    "an open statement before its rows": (b"COPY t FROM stdin", "cut short"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_psql_would_obey_is_refused(case: str) -> None:
    content, said = REFUSED[case]
    with pytest.raises(BackupFileError, match=said):
        sql_dump.scan(io.BytesIO(content), "d.sql")


PASSES = {
    "a literal with a backslash": b"INSERT INTO n VALUES (1, 'a\n\\b');\n",
    "a literal that ends with one": b"INSERT INTO n VALUES (1, 'C:\\'), (2, 'x');\nINSERT INTO n VALUES (2, 'it''s');\n",
    "a literal with a database": b"INSERT INTO n VALUES (1, 'see\nALTER DATABASE foo ...');\n",
    "a body with rows": FUNCTION + b"$$\nCOPY t FROM stdin;\n$$;\nCREATE TABLE x();\n",
    "a body with a command": FUNCTION + b"$_$\nSELECT $1 -- \\d\n\\q $$ ' \" $_$;\n",
    "a body of statements": (
        b"CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT CASE 1 WHEN 1 THEN 2 END; SELECT 1; END;\nCOPY t FROM stdin;\n\\! x\n\\.\n"
    ),
    "a rule of several": b"CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);\n",
    "rows with anything": b'COPY public."from" (a, "b;\'c") FROM stdin;\n\\! x\n$$ \' " /*\n\\\\.\n\\.\nSELECT 1;\n',
    "rows in capitals": b"copy t\n  from STDIN;\n\\! x\n\\.\n",
    "a name with a quote": b'CREATE TABLE "a\'b""\\c" (d int);\n',
    "a policy and a mapping": b"CREATE POLICY p ON t TO a;\nCREATE USER MAPPING FOR a SERVER s OPTIONS (\"user\" 'x');\n",
    "grants": b"GRANT SELECT ON TABLE t TO a;\nALTER DEFAULT PRIVILEGES FOR ROLE a GRANT SELECT ON TABLES TO b;\n",
    "its own guard": b"\\restrict aB3\n\\unrestrict aB3\n",
    "numbers and casts": b"CREATE TABLE t (a numeric DEFAULT 1.5e3::numeric, b int[] DEFAULT (ARRAY[1,2])[1:2], c text DEFAULT E'\\'');\n",
}


@pytest.mark.parametrize("case", PASSES)
def test_what_only_looks_like_it_passes(case: str) -> None:
    sql_dump.scan(io.BytesIO(PASSES[case]), "d.sql")


def test_rows_go_their_own_way() -> None:
    rows: list[bytes] = []
    text = b"COPY t FROM stdin;\n1\t;'\n\\.\nINSERT INTO t VALUES (1, ';')\n;\n"
    found = [chunk.statements for chunk in sql_lexer.chunks(io.BytesIO(text), "d.sql", rows.append)]
    assert found == [(b"COPY t FROM stdin",), (b"INSERT",)]
    assert rows == [b"1\t;'\n", b"\\.\n"]


def test_what_is_poured_is_what_was_there() -> None:
    text = b"".join(PASSES[case] for case in PASSES if case != "its own guard")
    target = io.BytesIO()
    sql_dump.pour(io.BytesIO(text), "d.sql", target, roles=Roles(), restricted=False)
    assert target.getvalue() == text


@pytest.mark.parametrize(("version", "can"), [((15, 18), True), ((15, 13), False), ((18, 0), True), ((12, 22), False), ((19, 1), True)])
def test_psql_guards_itself_where_it_can(version: tuple[int, int], can: bool) -> None:
    assert sql_dump.restricts(version) is can
    target = io.BytesIO()
    sql_dump.pour(io.BytesIO(b"SELECT 1;\n"), "d.sql", target, roles=Roles(), restricted=can)
    assert target.getvalue().startswith(b"\\restrict ") is can
