"""Fill a production database: `python -m staffprobot.generate --url postgresql://… --scale N`.

Every row is made inside the database from its own number: a column is an expression over `g.n` and over hashes of it, so
the same seed and scale give the same rows in the same order, on every server version and at any size.
"""

import argparse
import hashlib
import itertools
import os
import re
import sys
import time
from pathlib import Path

import alembic.command
import alembic.config
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from staffprobot import PRODUCTION_REVISION
from staffprobot.database import with_driver

PROJECT = Path(__file__).resolve().parents[1]
PLACEHOLDER = re.compile(r"\{(\w+)(?::(\w+))?\}")

# Rows at scale 1.
SIZES = {
    "users": 60,
    "org_structure_units": 6,
    "objects": 25,
    "contract_templates": 5,
    "contracts": 80,
    "time_slots": 200,
    "shift_schedules": 150,
    "shifts": 1200,
    "timeslot_task_templates": 120,
    "task_completions": 400,
    "payment_schedules": 4,
    "payroll_entries": 160,
    "payroll_adjustments": 90,
    "employee_payments": 100,
    "reviews": 40,
    "incidents": 15,
    "media_files": 30,
    "notifications": 300,
    "audit_log": 250,
    "shift_imports": 180,
    "rate_history": 70,
    "bot_dialog_states": 110,
}

WORDS = {
    "FIRST_NAMES": [
        "Анна",
        "Борис",
        "Вера",
        "Глеб",
        "Дарья",
        "Егор",
        "Жанна",
        "Захар",
        "Инна",
        "Кирилл",
        "Лёля",
        "Марат",
        "Нина",
        "Олег",
        "Полина",
        "Роман",
        "Соня",
        "Тимур",
        "Ульяна",
        "Фёдор",
    ],
    "LAST_NAMES": [
        "Ахметова",
        "Белых",
        "Васнецов",
        "Гордиенко",
        "Дроздов",
        "Ёлкина",
        "Жук",
        "Зайцева",
        "Иваненко",
        "Кузьмина",
        "Лапшин",
        "Мельник",
        "Новиков",
        "Орлова",
        "Петренко",
    ],
    "CITIES": ["Казань", "Самара", "Тверь", "Уфа", "Пермь", "Омск", "Томск", "Орёл", "Королёв", "Псков"],
    "STREETS": ("ул. Ленина", "пр. Мира", "наб. реки Фонтанки", "Кузнецкий мост", "пер. Щорса", "ул. 8 Марта", "бул. «Дружба»"),
    "SHOPS": ("Кофейня «Ёлка»", "Пункт выдачи №", "Пекарня «Хлеб & соль»", "Аптека 'Здоровье'", "Магазин «У дома»"),
    "ZONES": ("Europe/Moscow", "Asia/Yekaterinburg", "Asia/Vladivostok", "Europe/Kaliningrad", "Asia/Novosibirsk"),
    "TASKS": ("Вымыть полы", "Сверить кассу", "Принять товар", "Снять показания счётчиков", "Проверить сроки годности", "Вынести мусор\nи картон"),
    "NOTES": ("Опоздал из-за пробок", "Подменял коллегу", "Ушёл раньше: «по семейным»", "Tab\tи \\ обратная черта", "Смена без замечаний ✅"),
    "LANGUAGES": ("ru", "kk", "en"),
    "BANKS": ("Сбербанк", "Т-Банк", "ВТБ"),
}

# What several columns of one row have in common; each is the same wherever it stands in a table.
SHARED = {
    "is_owner": "g.n <= {count:owners}",
    "closed": "{r:15} > 0",
    "done": "{r:4} > 0",
    "start": "(timestamp '2024-06-01 06:00' + {r:44000000} * interval '1 second') AT TIME ZONE {pick:ZONES}",
    "quarters": "(2 + {r:50})",
    "rate": "(150 + {r:50000} / 100.0)",
    "gross": "({r:9000000} / 100.0)",
}

# What is another one in each place.
MACROS = {
    "owner": "1 + {r:owners}",
    "moment": "(timestamp '2024-01-01' + {r:50000000} * interval '1 second') AT TIME ZONE {pick:ZONES}",
    "place": "'55.' || lpad(({r:1000000})::text, 6, '0') || ',37.' || lpad(({r:1000000})::text, 6, '0')",
}

# Each table's columns, as expressions of the row's number g.n (from 1). See `expand` for what stands in braces.
TABLES = {
    "users": {
        "id": "g.n",
        "telegram_id": "5000000000 + g.n * 37",
        "username": "CASE WHEN {r:5} > 0 THEN 'user_' || g.n END",
        "first_name": "{pick:FIRST_NAMES}",
        "last_name": "CASE WHEN {r:7} > 0 THEN {pick:LAST_NAMES} END",
        "phone": "CASE WHEN {r:3} > 0 THEN '+79' || lpad(({r:1000000000})::text, 9, '0') END",
        "email": "CASE WHEN {r:2} > 0 THEN 'u' || g.n || '@example.org' END",
        "role": "CASE WHEN {is_owner} THEN 'owner' WHEN {r:10} = 0 THEN 'manager' ELSE 'employee' END",
        "timezone": "{pick:ZONES}",
        "birth_date": "CASE WHEN {r:4} > 0 THEN date '1965-01-01' + ({r:15000})::integer END",
        "settings": "CASE WHEN {r:4} = 0 THEN '{}' ELSE jsonb_build_object('язык', {pick:LANGUAGES}, 'звук', {r:2} = 1, 'порог', {r:1000} / 8.0) END",
        "is_active": "{r:12} > 0",
        "created_at": "{moment}",
        "updated_at": "CASE WHEN {r:3} > 0 THEN {moment} END",
    },
    "org_structure_units": {
        "id": "g.n",
        "owner_id": "{owner}",
        "parent_id": "CASE WHEN mod(g.n - 1, 6) > 0 THEN g.n - mod(g.n - 1, 6) END",
        "name": "'Подразделение ' || {pick:CITIES} || ' ' || g.n",
        "description": "CASE WHEN {r:2} > 0 THEN 'Отвечает за «' || {pick:SHOPS} || '»' END",
        "level": "CASE WHEN mod(g.n - 1, 6) > 0 THEN 1 ELSE 0 END",
        "created_at": "{moment}",
    },
    "objects": {
        "id": "g.n",
        "owner_id": "{owner}",
        "name": "{pick:SHOPS} || ' ' || g.n",
        "address": "CASE WHEN {r:8} > 0 THEN 'г. ' || {pick:CITIES} || ', ' || {pick:STREETS} || ', д. ' || 1 + {r:120} END",
        "coordinates": "{place}",
        "timezone": "{pick:ZONES}",
        "opening_time": "time '06:00' + {r:16} * interval '15 minutes'",
        "closing_time": "time '18:00' + {r:20} * interval '15 minutes'",
        "hourly_rate": "150 + {r:50000} / 100.0",
        "max_distance_m": "100 * (1 + {r:20})",
        "shift_tasks": "CASE WHEN {r:3} > 0 THEN jsonb_build_array(jsonb_build_object('text', {pick:TASKS}, 'обязательно', {r:2} = 0)) END",
        "is_active": "{r:15} > 0",
        "created_at": "{moment}",
        "org_unit_id": "CASE WHEN {r:4} > 0 THEN {any:org_structure_units} END",
        "legacy_code": "CASE WHEN {r:3} > 0 THEN 'ОБЪ-' || lpad(g.n::text, 7, '0') END",
    },
    "contract_templates": {
        "id": "g.n",
        "owner_id": "CASE WHEN g.n > 1 THEN {owner} END",
        "name": "'Договор ГПХ, образец ' || g.n",
        "content": "repeat('Исполнитель обязуется оказать услуги. ', 1 + ({r:40})::integer)",
        "version": "'1.' || {r:10}",
        "fields_schema": 'CASE WHEN {r:3} > 0 THEN \'[{"поле": "ИНН", "тип": "text"}]\'::jsonb END',
        "created_at": "{moment}",
    },
    "contracts": {
        "id": "g.n",
        "contract_number": "to_char(2023 + {r:3}, 'FM9999') || '-' || lpad(g.n::text, 7, '0')",
        "owner_id": "{owner}",
        "employee_id": "{any:users}",
        "template_id": "CASE WHEN {r:4} > 0 THEN {any:contract_templates} END",
        "title": "'Договор с сотрудником ' || {pick:LAST_NAMES}",
        "content": "CASE WHEN {r:5} > 0 THEN repeat('Пункт договора № ' || g.n || '. ', 1 + ({r:60})::integer) END",
        "hourly_rate": "CASE WHEN {r:6} > 0 THEN 15000 + {r:85001} END",
        "start_date": "date '2023-01-01' + ({r:700})::integer",
        "end_date": "CASE WHEN {r:3} = 0 THEN date '2025-01-01' + ({r:200})::integer END",
        "status": "(ARRAY['draft','active','active','active','suspended','terminated'])[1 + {r:6}]::contract_status",
        "allowed_objects": "CASE WHEN {r:4} > 0 THEN jsonb_build_array({any:objects}, {any:objects}) END",
        "is_active": "{r:5} > 0",
        "signed_at": "CASE WHEN {r:5} > 0 THEN {moment} END",
        "created_at": "{moment}",
        "payment_system_id": "CASE WHEN {r:6} > 0 THEN 1 + {r:3} END",
    },
    "time_slots": {
        "id": "g.n",
        "object_id": "{any:objects}",
        "slot_date": "date '2025-01-01' + ({r:300})::integer",
        "start_time": "time '07:00' + {r:16} * interval '15 minutes'",
        "end_time": "time '16:00' + {r:24} * interval '15 minutes'",
        "hourly_rate": "CASE WHEN {r:3} = 0 THEN 200 + {r:30000} / 100.0 END",
        "max_employees": "1 + {r:4}",
        "description": "CASE WHEN {r:4} = 0 THEN {pick:NOTES} END",
        "is_active": "{r:20} > 0",
        "created_at": "{moment}",
    },
    "shift_schedules": {
        "id": "g.n",
        "user_id": "{any:users}",
        "object_id": "{any:objects}",
        "time_slot_id": "CASE WHEN {r:5} > 0 THEN {any:time_slots} END",
        "planned_start": "{start}",
        "planned_end": "{start} + interval '9 hours'",
        "status": "(ARRAY['planned','confirmed','cancelled'])[1 + {r:3}]",
        "notified_at": "CASE WHEN {r:3} > 0 THEN timestamp '2025-01-01 08:00' + {r:20000000} * interval '1 second' END",
    },
    "shifts": {
        "id": "g.n",
        "user_id": "{any:users}",
        "object_id": "{any:objects}",
        "time_slot_id": "CASE WHEN {r:4} > 0 THEN {any:time_slots} END",
        "start_time": "{start}",
        "end_time": "CASE WHEN {closed} THEN {start} + {quarters} * interval '15 minutes' END",
        "status": "CASE WHEN {closed} THEN 'completed' WHEN {r:2} = 0 THEN 'active' ELSE 'cancelled' END",
        "start_coordinates": "CASE WHEN {r:9} > 0 THEN {place} END",
        "end_coordinates": "CASE WHEN {closed} AND {r:9} > 0 THEN {place} END",
        "distance_m": "CASE WHEN {r:9} > 0 THEN {r:500000} / 7.0::float8 END",
        "total_hours": "CASE WHEN {closed} THEN {quarters} / 4.0 END",
        "hourly_rate": "{rate}",
        "total_payment": "CASE WHEN {closed} THEN round({quarters} / 4.0 * ({rate}), 2) END",
        "notes": "CASE WHEN {r:8} = 0 THEN {pick:NOTES} END",
        "created_at": "{start}",
    },
    "timeslot_task_templates": {
        "id": "g.n",
        "time_slot_id": "{any:time_slots}",
        "task_text": "{pick:TASKS}",
        "is_mandatory": "{r:3} > 0",
        "deduction_amount": "CASE WHEN {r:2} > 0 THEN -50.00 - {r:100} END",
        "display_order": "{r:10}",
        "created_at": "{moment}",
    },
    # Three tasks a shift, counted from the first shift.
    "task_completions": {
        "shift_id": "1 + (g.n - 1) / 3",
        "position": "1 + mod(g.n - 1, 3)",
        "task_text": "{pick:TASKS}",
        "is_done": "{done}",
        "done_at": "CASE WHEN {done} THEN {moment} END",
    },
    "payment_schedules": {
        "id": "g.n",
        "owner_id": "{owner}",
        "frequency": "(ARRAY['daily','weekly','biweekly','monthly'])[1 + {r:4}]",
        "payment_day": "1 + {r:28}",
        "is_active": "{r:6} > 0",
    },
    # Each contract is paid by the half-month, two entries a contract.
    "payroll_entries": {
        "id": "g.n",
        "employee_id": "{any:users}",
        "contract_id": "1 + (g.n - 1) / 2",
        "period_start": "date '2025-06-01' + (15 * mod(g.n - 1, 2))::integer",
        "period_end": "date '2025-06-15' + (15 * mod(g.n - 1, 2))::integer",
        "hours_worked": "{r:48000} / 100.0",
        "gross_amount": "{gross}",
        "net_amount": "round(({gross}) * 0.87, 2)",
        "calculation": "CASE WHEN {r:4} > 0 THEN jsonb_build_object('удержания', jsonb_build_array({r:9}, null), 'итог', {gross}) END",
        "created_at": "{moment}",
    },
    "payroll_adjustments": {
        "id": "g.n",
        "payroll_entry_id": "{any:payroll_entries}",
        "shift_id": "CASE WHEN {r:3} > 0 THEN {any:shifts} END",
        "kind": "(ARRAY['bonus','late_start','task','manual'])[1 + {r:4}]",
        "amount": "({r:400001} - 200000) / 100.0",
        "description": "CASE WHEN {r:3} > 0 THEN {pick:NOTES} END",
        "created_at": "{moment}",
    },
    "employee_payments": {
        "id": "g.n",
        "payroll_entry_id": "g.n",
        "amount": "{r:9000000} / 100.0",
        "paid_at": "{moment}",
        "method": "(ARRAY['card','cash','transfer'])[1 + {r:3}]",
        "details": "CASE WHEN {r:2} > 0 THEN jsonb_build_object('банк', {pick:BANKS}, 'счёт', '4081781' || lpad(g.n::text, 13, '0')) END",
    },
    "reviews": {
        "id": "g.n",
        "reviewer_id": "{any:users}",
        "object_id": "CASE WHEN {r:5} > 0 THEN {any:objects} END",
        "rating": "1 + {r:5}",
        "title": "'Отзыв № ' || g.n",
        "content": "CASE WHEN {r:3} > 0 THEN {pick:NOTES} END",
        "tags": "CASE WHEN {r:4} > 0 THEN ARRAY[{pick:CITIES}, NULL, 'тег, с \"запятой\"'] END",
        "is_anonymous": "{r:4} = 0",
        "created_at": "{moment}",
    },
    "incidents": {
        "id": "g.n",
        "object_id": "{any:objects}",
        "employee_id": "CASE WHEN {r:3} > 0 THEN {any:users} END",
        "shift_id": "CASE WHEN {r:3} > 0 THEN {any:shifts} END",
        "category": "(ARRAY['Недостача','Порча','Опоздание'])[1 + {r:3}]",
        "description": "CASE WHEN {r:3} > 0 THEN {pick:NOTES} END",
        "damage_amount": "CASE WHEN {r:3} > 0 THEN {r:10000000} / 100.0 END",
        "happened_at": "{moment}",
    },
    "media_files": {
        "id": "md5('media ' || {seed} || ' ' || g.n)::uuid",
        "review_id": "CASE WHEN mod(g.n, 2) = 0 THEN {any:reviews} END",
        "incident_id": "CASE WHEN mod(g.n, 2) = 1 THEN {any:incidents} END",
        "telegram_file_id": "'AgAC' || md5('file ' || {seed} || ' ' || g.n)",
        "mime_type": "(ARRAY['image/jpeg','video/mp4'])[1 + {r:2}]",
        "size_bytes": "{r:3000000000}",
        "preview": "CASE WHEN {r:3} > 0 THEN decode(md5('preview ' || {seed} || ' ' || g.n), 'hex') END",
    },
    "notifications": {
        "id": "g.n",
        "user_id": "{any:users}",
        "kind": "(ARRAY['shift_reminder','payroll','incident'])[1 + {r:3}]",
        "title": "'Напоминание: ' || {pick:TASKS}",
        "message": "CASE WHEN {r:4} > 0 THEN {pick:NOTES} END",
        "data": "CASE WHEN {r:3} > 0 THEN jsonb_build_object('смена', {any:shifts}, 'когда', date '2025-03-01' + ({r:200})::integer) END",
        "created_at": "{moment}",
        "read_at": "CASE WHEN {r:2} > 0 THEN {moment} END",
    },
    "audit_log": {
        "id": "g.n",
        "user_id": "CASE WHEN {r:6} > 0 THEN {any:users} END",
        "action": "(ARRAY['вход','изменение','удаление'])[1 + {r:3}]",
        "entity": "CASE WHEN {r:3} > 0 THEN 'contracts' END",
        "entity_id": "CASE WHEN {r:3} > 0 THEN {any:contracts} END",
        "details": "CASE WHEN {r:2} > 0 THEN jsonb_build_object('было', {r:1000}, 'стало', {r:1000}) END",
        "created_at": "{moment}",
    },
    "shift_imports": {
        "id": "g.n",
        "shift_id": "CASE WHEN {r:5} > 0 THEN {any:shifts} END",
        "file_name": "'Табель ' || {pick:CITIES} || '.xlsx'",
        "line": "g.n",
        "raw": "jsonb_build_object('ФИО', {pick:LAST_NAMES}, 'часы', {r:96} / 4.0)",
        "imported_at": "{moment}",
    },
    "rate_history": {
        "id": "g.n",
        "user_id": "1 + mod(g.n - 1, {count:users})",
        "rate_kopecks": "15000 + {r:85000}",
        "valid_from": "date '2023-01-01' + ((g.n - 1) / {count:users})::integer",
        "comment": "CASE WHEN {r:3} = 0 THEN 'Повышение по итогам года' END",
    },
    "bot_dialog_states": {
        "telegram_id": "5000000000 + ({any:users}) * 37",
        "state": "CASE WHEN {r:4} > 0 THEN 'ожидание:' || {r:9} END",
        "data": "CASE WHEN {r:3} > 0 THEN jsonb_build_object('шаг', {r:9}) END",
        "updated_at": "{moment}",
    },
}

# What is the same at every scale.
FIXED = {
    "payment_systems": """
        (1, 'simple_hourly', 'Повременная', NULL),
        (2, 'salary', 'Оклад', '{"аванс": 40}'),
        (3, 'hourly_bonus', 'Повременно-премиальная', '{"премия": [5, 10.50, null]}')
    """,
    "system_settings": """
        ('domain', '"staffprobot.example"', 'Домен сайта'),
        ('use_https', 'true', NULL),
        ('late_penalty_per_minute', '5.50', 'Штраф за минуту опоздания, ₽'),
        ('maintenance', 'null', NULL)
    """,
}


def salt(*place):
    """A signed 64-bit seed for the hash of one place in one column."""
    digest = hashlib.sha256("/".join(map(str, place)).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def expand(expression, bounds, seed, *place):
    """The SQL of an expression; `place` (table, column) makes the hashes of one column its own.

    {r:M} is a number from 0 to M-1, M being a number or the name of a table; {any:TABLE} is the id of one of its rows;
    {count:TABLE} is how many it has; {pick:WORDS} is one of the words; the rest are SHARED and MACROS.
    """
    numbers = itertools.count()

    def replace(match):
        name, argument = match.groups()
        if name in SHARED:
            return "(" + expand(SHARED[name], bounds, seed, place[0], name) + ")"
        if name in MACROS:
            return "(" + substitute(MACROS[name]) + ")"
        if name == "seed":
            return str(seed)
        if name == "count":
            return str(bounds[argument])
        if name == "any":
            return substitute(f"(1 + {{r:{argument}}})")
        if name == "pick":
            words = WORDS[argument]
            array = ", ".join("'" + word.replace("'", "''") + "'" for word in words)
            return substitute(f"(ARRAY[{array}])[1 + {{r:{len(words)}}}]")
        if name == "r":
            bound = bounds.get(argument, argument)
            return f"mod(hashint8extended(g.n, {salt(seed, *place, next(numbers))}) & 9223372036854775807, {bound})"
        raise KeyError(name)

    def substitute(text):
        return PLACEHOLDER.sub(replace, text)

    return substitute(expression)


def migrate(url):
    """Bring an empty database to production's revision, the way the project does it: the URL in the environment."""
    before = os.environ.get("DATABASE_URL")
    os.environ["DATABASE_URL"] = url.render_as_string(hide_password=False)
    try:
        config = alembic.config.Config()
        config.set_main_option("script_location", str(PROJECT / "migrations").replace("%", "%%"))
        alembic.command.upgrade(config, PRODUCTION_REVISION)
    finally:
        if before is None:
            del os.environ["DATABASE_URL"]
        else:
            os.environ["DATABASE_URL"] = before


def take_off(connection):
    """Drop foreign keys and secondary indexes, which cost most of the time of a big fill. Returns the SQL that puts them back."""
    indexes = connection.exec_driver_sql(
        "SELECT 'DROP INDEX ' || i.indexrelid::regclass, pg_get_indexdef(i.indexrelid) FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace"
        " WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u')) ORDER BY i.indexrelid"
    ).fetchall()
    foreign_keys = connection.exec_driver_sql(
        "SELECT 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || quote_ident(conname),"
        " 'ALTER TABLE ' || conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid)"
        " FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY oid"
    ).fetchall()
    for drop, _ in [*foreign_keys, *indexes]:
        connection.exec_driver_sql(drop)
    return [definition for _, definition in [*indexes, *foreign_keys]]


def fill(connection, scale, seed):
    """Make every row; the tables must be at production's revision and empty. Returns the rows of each table."""
    counts = {table: rows * scale for table, rows in SIZES.items()}
    bounds = {**counts, "owners": counts["users"] // 10}
    put_back = take_off(connection)
    for table, rows in FIXED.items():
        connection.exec_driver_sql(f"INSERT INTO {table} VALUES {rows}")
    for table, columns in TABLES.items():
        values = ", ".join(expand(expression, bounds, seed, table, column) for column, expression in columns.items())
        connection.exec_driver_sql(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM generate_series(1::bigint, {counts[table]}) AS g(n)"
        )
    for statement in put_back:
        connection.exec_driver_sql(statement)
    set_sequences(connection)
    return counts


def set_sequences(connection):
    """Let the next row of each table get the id after the last one."""
    owned = connection.exec_driver_sql(
        "SELECT c.oid::regclass::text, d.refobjid::regclass::text, a.attname FROM pg_class c"
        " JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')"
        " JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid WHERE c.relkind = 'S' ORDER BY 1"
    ).fetchall()
    for sequence, table, column in owned:
        connection.exec_driver_sql(f"SELECT setval('{sequence}', max({column})) FROM {table}")


def revision_of(connection):
    """Where Alembic says that the database is; None for one that Alembic does not know."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return ", ".join(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())


def keep_settings(connection, database):
    """What an administrator once set on production: sessions are in Moscow time."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(database)
    try:
        connection.exec_driver_sql(f"ALTER DATABASE {quoted} SET timezone = 'Europe/Moscow'")
    except sa.exc.DBAPIError as error:
        print(f"note: the database's time zone was not set: {str(error.orig).splitlines()[0]}")


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m staffprobot.generate", description=__doc__.splitlines()[0])
    parser.add_argument("--url", default=os.environ.get("DATABASE_URL"), help="default: DATABASE_URL")
    parser.add_argument("--scale", type=int, default=1, help="1: 1,200 shifts; 1000: 1.2 million (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other rows (default: %(default)s)")
    parser.add_argument("--with-settings", action="store_true", default=True, help="ALTER DATABASE … SET timezone (default)")
    parser.add_argument("--no-with-settings", action="store_false", dest="with_settings", help="leave the database's settings alone")
    arguments = parser.parse_args(argv)
    if not arguments.url:
        parser.error("say which database: --url, or DATABASE_URL")
    if arguments.scale < 1:
        parser.error("--scale must be 1 or more")

    started = time.monotonic()
    url = with_driver(make_url(arguments.url))
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
    if not tables:
        migrate(url)
    with engine.begin() as connection:
        if revision_of(connection) != PRODUCTION_REVISION:
            parser.error(f"{url.database} is neither empty nor at revision {PRODUCTION_REVISION}; nothing was changed")
        if connection.exec_driver_sql("SELECT EXISTS (SELECT FROM users)").scalar():
            parser.error(f"{url.database} has rows already; nothing was changed")
        counts = fill(connection, arguments.scale, arguments.seed)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
        if arguments.with_settings:
            keep_settings(connection, url.database)
    rows = sum(counts.values())
    print(f"{url.database}: revision {PRODUCTION_REVISION}, {rows:,} rows ({counts['shifts']:,} shifts) in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
