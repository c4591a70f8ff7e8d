"""What is measured where the inventory asks for it: models, drift, one revision at a time."""

# A case is read best on few lines.
# ruff: noqa: E501

from __future__ import annotations

from stand import Case

_NICK, _NICK_DOWN = "ALTER TABLE users ADD COLUMN nick text", "ALTER TABLE users DROP COLUMN nick"


def _models(name: str, columns: str, options: str = "", **more: object) -> Case:
    """Models of table drafts alone."""
    extra = f"""
    import sqlalchemy as sa
    models = sa.MetaData()
    sa.Table("drafts", models, {columns})
    def include_name(name, kind, parents):
        return kind != "table" or name in models.tables
    """
    env = (("extra", extra), ("configure", f"target_metadata=models, include_name=include_name{options}"))
    return Case(name, _NICK, _NICK_DOWN, env=env, asked=("models",), **more)  # type: ignore[arg-type]


_ID, _BODY = 'sa.Column("id", sa.BigInteger(), primary_key=True)', 'sa.Column("body", sa.Text())'
_DIFFER = frozenset({("models-differ", "drafts")})
_DRIFT = frozenset({("schema-drift", "")})

CASES = [
    _models("models: as the copy", f"{_ID}, {_BODY}", verdict="GO"),
    _models("models: a column without a revision", f'{_ID}, {_BODY}, sa.Column("title", sa.Text()), sa.Index("ix_title", "title")', findings=_DIFFER,
            verdict="GO with warnings", says=("column drafts.title (TEXT) is only in the models", "index ix_title on drafts (title) is only in the models",
                                             "alembic check does not see renames", "defaults (compare_server_default is off in env.py)")),
    _models("models: another type and nullability", f'{_ID}, sa.Column("body", sa.String(10), nullable=False)', ", compare_type=True, compare_server_default=True",
            findings=_DIFFER, verdict="GO with warnings",
            says=("column drafts.body is TEXT in the database, VARCHAR(10) in the models", "column drafts.body is nullable in the database, not null in the models",
                  "constraints without a name)")),
    _models("models: the copy has more", _ID, verdict="GO", infos=_DIFFER, says=("column drafts.body (TEXT) is only in the database",)),
    _models("models: a table without a revision", f'{_ID}, {_BODY}); sa.Table("plans", models, sa.Column("id", sa.Integer(), primary_key=True)',
            findings=frozenset({("models-differ", "plans")}), verdict="GO with warnings", says=("table plans is only in the models",)),
    Case("models: none", _NICK, _NICK_DOWN, verdict="GO", asked=("models",), infos=frozenset({("models-not-compared", "")}), says=("env.py names no models",)),
    Case("drift: none", _NICK, _NICK_DOWN, verdict="GO", asked=("drift",)),
    Case("drift: where the upgrade goes", _NICK, _NICK_DOWN, frozenset({("schema-drift", "users.badge")}), "GO with warnings", asked=("drift",),
         production="ALTER TABLE users ADD COLUMN badge text", says=("production is not what revision a0 says, and the upgrade touches it: column users.badge added: text",)),
    Case("drift: elsewhere", _NICK, _NICK_DOWN, verdict="GO", asked=("drift",), infos=_DRIFT,
         production="CREATE INDEX ix_by_hand ON cities (zone);\nDROP VIEW active_users;\nGRANT SELECT ON cities TO gallery_reader",
         says=("production is not what revision a0 says, where the upgrade touches nothing: index ix_by_hand on cities added: btree (zone); view active_users removed")),
    Case("drift: a history that needs what was there before", _NICK, _NICK_DOWN, verdict="GO", asked=("drift",), base="ALTER TABLE users ADD COLUMN phone text",
         infos=frozenset({("drift-not-measured", "")}), says=("the migrations do not run from an empty database to a0: ",)),
    Case("drift: an application that goes for the copy all the same", _NICK, _NICK_DOWN, verdict="GO", asked=("drift", "fixed address"),
         infos=frozenset({("drift-not-measured", "")}), says=("its address is not made of rehearsal_copy_database alone; nothing was changed there",)),
    Case("stairway: each undoes its own", _NICK, _NICK_DOWN, verdict="GO", asked=("stairway",),
         more=(("m2", "m1", "ALTER TABLE cities ADD COLUMN code text", "ALTER TABLE cities DROP COLUMN code"),)),
    Case("stairway: one undoes what the other left", f"{_NICK};\nCREATE INDEX IF NOT EXISTS ix_cities_zone ON cities (zone)", _NICK_DOWN,
         frozenset({("stairway-leaves-trace", "m1"), ("stairway-leaves-trace", "m2"), ("stairway-differs", "m2"), ("stairway-differs", "")}), "GO with warnings",
         asked=("stairway",), more=(("m2", "m1", "SELECT 1", "DROP INDEX ix_cities_zone"),),
         says=("revision m1 (revision m1) was taken back, and the schema is not what it was: index ix_cities_zone on cities added",)),
    Case("stairway: one does not go up again", f"{_NICK};\nCREATE SEQUENCE acts", _NICK_DOWN,
         frozenset({("stairway-leaves-trace", "m1"), ("stairway-failed", "m1")}), asked=("stairway",), more=(("m2", "m1", "SELECT 1", "DROP SEQUENCE acts"),),
         says=("revision m1 (revision m1) does not apply a second time by itself: ",)),
    Case("stairway: one costs data", _NICK, _NICK_DOWN, frozenset({("stairway-loses-data", "m2"), ("downgrade-loses-data", "users.name")}), "GO with warnings",
         asked=("stairway",), more=(("m2", "m1", "SELECT 1", "UPDATE users SET name = name || '!' WHERE id < 5"),),
         says=("revision m2 (revision m2) was taken back, and data is not what it was: users.name changed, in 4 rows at most", "users.name changed, in 4 rows")),
]  # fmt: skip
