"""What a statement names, read from its text."""

from __future__ import annotations

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils.statement_names import (
    ForeignKey,
    UniqueKey,
    bare,
    names_of,
    type_of_new_column,
    words_of,
)


@pytest.mark.parametrize(
    ("statement", "key"),
    [
        ("CREATE UNIQUE INDEX ux ON t (a)", UniqueKey(("a",))),
        (
            "CREATE UNIQUE INDEX ux ON t USING btree (a, lower(b), (c || ',' || d)) WHERE e > 1;",
            UniqueKey(("a", "lower(b)", "(c || ',' || d)"), "e > 1"),
        ),
        ("CREATE UNIQUE INDEX ux ON t (a)WHERE b", UniqueKey(("a",), "b")),
        ("CREATE UNIQUE INDEX ux ON t (a text_pattern_ops DESC NULLS LAST) NULLS NOT DISTINCT", UniqueKey(("a",), "", True)),
        ("CREATE UNIQUE INDEX ux ON t", None),
        ("CREATE INDEX ix ON t (a)", None),
        ("ALTER TABLE t ADD CONSTRAINT k UNIQUE (a, b)", UniqueKey(("a", "b"))),
        ("ALTER TABLE t ADD CONSTRAINT k UNIQUE NULLS NOT DISTINCT (a)", UniqueKey(("a",), "", True)),
        ("ALTER TABLE t ADD PRIMARY KEY (a)", UniqueKey(("a",))),
    ],
)
def test_what_must_not_occur_twice(statement: str, key: UniqueKey | None) -> None:
    assert names_of(statement).key == key
    assert names_of(statement).table == "t"


def test_what_refers_to_another_table() -> None:
    named = names_of('ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a, "B") REFERENCES other (c, d)')
    assert named.foreign_key == ForeignKey(("a", '"B"'), "other", ("c", "d"))
    assert names_of("CREATE TABLE t (id bigint PRIMARY KEY, a bigint NOT NULL REFERENCES other)").foreign_key == ForeignKey(("a",), "other", ())
    assert names_of("ALTER TABLE t ADD COLUMN a bigint NOT NULL REFERENCES other").foreign_key == ForeignKey(("a",), "other", ())
    assert names_of("ALTER TABLE t ADD IF NOT EXISTS a numeric(10, 2) REFERENCES other (b)").foreign_key == ForeignKey(("a",), "other", ("b",))
    assert names_of("ALTER TABLE t ADD COLUMN a bigint").foreign_key is None


def test_types_and_words() -> None:
    assert names_of("ALTER TABLE t ALTER a TYPE numeric(10, 2) USING a / 100").new_type == ("a", "numeric(10, 2)")
    assert names_of("ALTER TABLE t ALTER a DROP DEFAULT").new_type is None
    assert type_of_new_column('ALTER TABLE t ADD COLUMN "My" double precision', "My") == "double precision"
    assert type_of_new_column("ALTER TABLE t ADD COLUMN a text", "b") == ""
    assert (bare('s."My""T"'), bare("public.T")) == ('My"T', "t")
    assert {"t", "A"} <= words_of('UPDATE t SET "A" = 1')
