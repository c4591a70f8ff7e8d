# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Russian of what the agent and its driver say of the application: errors, the fence, what stands in a migration's way. See `words_heard.py`."""

from __future__ import annotations

from typing import Dict

TEXTS: Dict[str, str] = {
    # What a run did.
    "{count} revisions in {time}, now at {heads}": "ревизий: {count}, за {time}, теперь на {heads}",
    "{count} revisions, head {heads}": "ревизий: {count}, последняя {heads}",
    "its revisions are known when env.py has run": "его ревизии станут известны, когда выполнится env.py",
    "at {current}, {pending} pending, head {heads}": "на {current}, предстоит: {pending}, последняя {heads}",
    "no revision": "нет ревизии",
    "production stands on revision {revision}, which is not among the {count} revisions of {project}": "продакшен стоит на ревизии {revision}, "
    "которой "
    "нет среди {count} ревизий {project}",
    # Errors of the agent and of its driver.
    "revision {revision}": "ревизия {revision}",
    "statement: {sql}": "команда: {sql}",
    "on the copy: {facts}": "на копии: {facts}",
    "a line of the agent came torn": "строка агента пришла разорванной",
    "not finished within {seconds} s": "не закончено за {seconds} с",
    "a downgrade needs a target: revisions separated by commas, or base": "откату нужна цель: ревизии через запятую или base",
    "operation {operation} needs the id of the rehearsal whose copy may be used": "операции {operation} нужен id репетиции, чью копию можно "
    "использовать",
    "no such operation: {operation}": "нет такой операции: {operation}",
    "the application command is empty: it must start the project's Python": "команда приложения пуста: она должна запускать Python проекта",
    "there is no {file} in {directory}": "в {directory} нет {file}",
    "rehearsal_application.wrapper ended without calling run()": "rehearsal_application.wrapper закончился, не вызвав run()",
    "{file} ended without running migrations (context.run_migrations() was not called)": "{file} закончился, не запустив миграции "
    "(context.run_migrations() не вызван)",
    "the database stands at {revisions}, which this project does not have: its revisions are not the ones that production runs": "база стоит на "
    "{revisions}, а в этом проекте такой нет: его ревизии не те, с которыми работает продакшен",
    "the project has {count} heads: {heads}": "последних ревизий у проекта {count}: {heads}",
    "{python} has no {package}: the application command must start the project's Python": "в {python} нет {package}: команда приложения должна "
    "запускать "
    "Python проекта",
    "this Alembic cannot be configured in pyproject.toml (1.16 or later can)": "этот Alembic не настраивается в pyproject.toml (можно с 1.16)",
    "the application ended the process (exit code {code})": "приложение завершило процесс (код {code})",
    "the application command starts Python {version}; 3.8 or later is needed": "команда приложения запускает Python {version}; нужен 3.8 или новее",
    "the application directory {path} does not exist": "каталога приложения {path} нет",
    "cannot start the application command «{command}»: {error}": "команда приложения «{command}» не запускается: {error}",
    "«{command}» {how} before the agent could start": "«{command}» {how} до начала работы агента",
    "«{command}» {how} before the agent could start: {said}": "«{command}» {how} до начала работы агента: {said}",
    "the application's process {how} without finishing": "процесс приложения {how}, не закончив",
    "the application's process {how} without finishing; it said: {said}": "процесс приложения {how}, не закончив; он сказал: {said}",
    "the application's process ended with exit code {code}": "процесс приложения завершился с кодом {code}",
    "what stands in the way could not be looked up: {error}": "что мешает, выяснить не удалось: {error}",
    # The fence.
    "Alembic went for database {database} on {address} ({reason}) and was stopped before its first statement": "Alembic пошёл в базу {database} на "
    "{address} ({reason}) и был остановлен до первой команды",
    "Alembic went for database {database} on {address} ({reason}) and was stopped before its first statement; most likely because "
    "{suspects}": "Alembic пошёл в базу {database} на {address} ({reason}) и был остановлен до первой команды; скорее всего потому, что {suspects}",
    "not the copy": "это не копия",
    "the server does not show the connection's own database": "сервер не показывает базу этого соединения",
    "the database carries no rehearsal marker": "у базы нет метки репетиции",
    "the database belongs to another rehearsal ({id})": "база принадлежит другой репетиции ({id})",
    "not a PostgreSQL database but {what}": "это не база PostgreSQL, а {what}",
    "programs that the application starts (psql, pg_restore, another Python) connect without asking us": "программы, которые запускает "
    "приложение (psql, "
    "pg_restore, другой Python), подключаются без нашего ведома",
    "drivers other than psycopg, psycopg2, asyncpg and pg8000, used without SQLAlchemy": "драйверы, кроме psycopg, psycopg2, asyncpg и pg8000, без "
    "SQLAlchemy",
    "libpq reached below the driver: psycopg.pq.PGconn, psycopg2.extensions.connection, ctypes": "libpq в обход драйвера: psycopg.pq.PGconn, "
    "psycopg2.extensions.connection, ctypes",
    "dblink and postgres_fdw inside the copy connect from the server": "dblink и postgres_fdw внутри копии подключаются с сервера",
    "the application could not be searched for the cause ({kind}: {error})": "найти причину в приложении не удалось ({kind}: {error})",
    "set on the host but not declared in the inventory, so the application did not get: {names}": "заданы на хосте, но не объявлены в инвентаре, "
    "поэтому "
    "приложение их не получило: {names}",
    "the inventory declares no environment, -x argument or option for the application, so nothing tells it where the copy is": "в инвентаре нет ни "
    "окружения, ни аргумента -x, ни параметра для приложения, поэтому ничто не говорит ему, где копия",
    "the database is called as the user: libpq's default when no database name is given": "база называется как пользователь: так делает libpq, когда "
    "имя базы не задано",
    "the -x arguments name this database ({given})": "эту базу называют аргументы -x ({given})",
    "the environment variable {name} that the inventory declares names this database": "эту базу называет переменная окружения {name} из инвентаря",
    "{key} in {file} names this database": "эту базу называет {key} в {file}",
    "{given} was given, and {file} reads -x arguments, but the connection went elsewhere": "задано {given}, и {file} читает аргументы -x, но "
    "соединение "
    "ушло в другое место",
    "{given} was given, but {file} does not read -x arguments (no get_x_argument in it): Alembic ignored it": "задано {given}, но {file} не читает "
    "аргументов -x (в нём нет get_x_argument): Alembic это пропустил",
    "the default of {name} in {file}, line {line}, names this database": "эту базу называет значение {name} по умолчанию в {file}, строка {line}",
    "a text in {file}, line {line}, names this database": "эту базу называет текст в {file}, строка {line}",
    "{key} in {file}, line {line}, names this database": "эту базу называет {key} в {file}, строка {line}",
    # Models, drift.
    "env.py names no models (target_metadata is None)": "env.py не называет моделей (target_metadata — None)",
    "the database does not stand at the project's head": "база не на последней ревизии проекта",
    "only in the models": "только в моделях",
    "only in the database": "только в базе",
    "different": "различается",
    "column {name} ({type}) is only in the models": "столбец {name} ({type}) есть только в моделях",
    "column {name} ({type}) is only in the database": "столбец {name} ({type}) есть только в базе",
    "table {name} is only in the models": "таблица {name} есть только в моделях",
    "table {name} is only in the database": "таблица {name} есть только в базе",
    "index {name} on {table} is only in the models": "индекс {name} на {table} есть только в моделях",
    "index {name} on {table} is only in the database": "индекс {name} на {table} есть только в базе",
    "foreign key {name} on {table} is only in the models": "внешний ключ {name} на {table} есть только в моделях",
    "foreign key {name} on {table} is only in the database": "внешний ключ {name} на {table} есть только в базе",
    "foreign key {name} of {table} is only in the models": "внешний ключ {name} таблицы {table} есть только в моделях",
    "constraint {name} on {table} is only in the models": "ограничение {name} на {table} есть только в моделях",
    "constraint {name} on {table} is only in the database": "ограничение {name} на {table} есть только в базе",
    "constraint {name} of {table} is only in the models": "ограничение {name} таблицы {table} есть только в моделях",
    "column {name} is {database} in the database, {models} in the models": "столбец {name}: {database} в базе, {models} в моделях",
    "without default": "без значения по умолчанию",
    "nullable": "допускает NULL",
    "the comment on table {name} differs": "комментарий к таблице {name} различается",
    "comment of column {name} differs": "комментарий столбца {name} различается",
    "{what} of column {name} differs": "{what} столбца {name} различается",
    "production stands on no revision": "продакшен не стоит ни на одной ревизии",
    "the application went for {where}: its address is not made of rehearsal_copy_database alone; nothing was changed there": "приложение пошло в "
    "{where}: "
    "его адрес составлен не только из rehearsal_copy_database; там ничего не изменено",
    "the migrations do not run from an empty database to {revision}: {error}": "миграции не проходят с пустой базы до {revision}: {error}",
    "the timeline of the upgrade does not say what was pending": "по хронологии обновления не видно, что предстояло",
    # squawk.
    "rehearsal_squawk is never": "rehearsal_squawk: never",
    "squawk is not installed on the controller (pip install squawk-cli)": "на контроллере не установлен squawk (pip install squawk-cli)",
    "rehearsal_squawk names {program}, which is not there or cannot be run": "rehearsal_squawk называет {program}, которой нет или которую нельзя "
    "запустить",
    "{program} is not squawk: it does not say its version": "{program} — не squawk: не говорит своей версии",
    "{program} is {version}: version {wanted} or newer is needed": "{program} — {version}: нужна версия {wanted} или новее",
    "{program} ended with exit code {code} and gave no answer that can be read": "{program} завершилась с кодом {code}, и ответ её не читается",
    "{program} ended with exit code {code}": "{program} завершилась с кодом {code}",
    "{program} was stopped: not done within {seconds} s": "{program} остановлена: не закончила за {seconds} с",
    "{program} cannot be started: {error}": "{program} не запускается: {error}",
    # Assertions of the expectations file.
    "anything but null, false, 0 and empty": "что угодно, кроме null, false, 0 и пустого",
    "contains {value}": "содержит {value}",
    "not measured ({names})": "не измерено ({names})",
    "the query failed: {error}": "запрос не выполнился: {error}",
    "the query {query} cannot be read: {error}": "запрос {query} не читается: {error}",
    "the query looks at nothing": "запрос ни на что не смотрит",
    'the query begins with "{name}"': 'запрос начинается с "{name}"',
    'the query begins with "{name}"; did you mean "{near}"?': 'запрос начинается с "{name}"; может быть, "{near}"?',
    "the query calls {name}(), which JMESPath does not have": "запрос вызывает {name}(), которой в JMESPath нет",
    'the query calls {name}(), which JMESPath does not have; did you mean "{near}"?': "запрос вызывает {name}(), которой в JMESPath нет; может быть, "
    '"{near}"?',
    "the query {query} goes on for more than one name after .*, which jmespath reads as a name of the list: always null": "запрос {query} "
    "продолжается "
    "больше чем одним именем после .*, а jmespath ищет его в самом списке: всегда null",
    "the Python package jmespath is not installed here": "здесь не установлен пакет Python jmespath",
    # What stands in a failed migration's way.
    "it is not there without these migrations: two of the revisions make it": "без этих миграций его нет: его создают две ревизии",
    "{what} is there already, owned by {owner}: somebody made it past Alembic, or the revision was applied and not recorded (alembic "
    "stamp)": "{what} уже есть, владелец {owner}: это создано мимо Alembic, или ревизия применена, но не записана (alembic stamp)",
    "{what} is there already, owned by {owner}, with {columns} columns and {rows} rows: somebody made it past Alembic, or the revision was "
    "applied and "
    "not recorded (alembic stamp)": "{what} уже есть, владелец {owner}, столбцов: {columns}, строк: {rows}: это создано мимо Alembic, или ревизия "
    "применена, но не записана (alembic stamp)",
    "table {name}": "таблица {name}",
    "partitioned table {name}": "секционированная таблица {name}",
    "foreign table {name}": "внешняя таблица {name}",
    "materialized view {name}": "материализованное представление {name}",
    "view {name}": "представление {name}",
    "index {name}": "индекс {name}",
    "sequence {name}": "последовательность {name}",
    "relation {name}": "отношение {name}",
    "column {name} is not there without these migrations: two of the revisions add it": "без этих миграций столбца {name} нет: его добавляют две "
    "ревизии",
    "{column} is there already as {type}, with {values} values in {rows} rows: somebody added it past Alembic, or the revision was applied and not "
    "recorded (alembic stamp)": "{column} уже есть, тип {type}, значений: {values}, строк: {rows}: его добавили мимо Alembic, или ревизия "
    "применена, но "
    "не записана (alembic stamp)",
    "{column} is there already as {type}: somebody added it past Alembic, or the revision was applied and not recorded (alembic stamp)": "{column} "
    "уже есть, тип {type}: его добавили мимо Alembic, или ревизия применена, но не записана (alembic stamp)",
    "NULLs in {column} were not counted: that takes more than {seconds} s": "NULL в {column} не посчитаны: это дольше {seconds} с",
    "duplicates in {what} were not counted: that takes more than {seconds} s": "повторы в {what} не посчитаны: это дольше {seconds} с",
    "duplicates in {what} were not counted: its values are masked": "повторы в {what} не посчитаны: значения условия скрыты",
    "orphans in {what} were not counted: that takes more than {seconds} s": "строки без родителя в {what} не посчитаны: это дольше {seconds} с",
    "rows of {table} that break the condition were not counted: that takes more than {seconds} s": "строки {table}, нарушающие условие, "
    "не посчитаны: это дольше {seconds} с",
    "is there already: {what}": "уже есть: {what}",
    "there is no {name}": "{name}: такого нет",
    "there is no {name}; nearest by name: {near}": "{name}: такого нет; ближе всего по имени: {near}",
    "there is no {name} on the search path, but {others}": "{name}: такого нет в search_path, но есть {others}",
    "the referenced table is missing: {said}": "нет таблицы, на которую ссылаются: {said}",
    "{table} has {count} columns, none of them {name}": "в {table} столбцов: {count}, {name} среди них нет",
    "{table} has {count} columns, none of them {name}; nearest by name: {near}": "в {table} столбцов: {count}, {name} среди них нет; ближе всего по "
    "имени: {near}",
    "{name} was made by these migrations and is rolled back: it could not be looked at": "{name} создана этими миграциями и откачена: посмотреть "
    "на неё "
    "нельзя",
    "{table} has {rows} rows and {column} is new: it needs a server_default, or to be filled before it becomes NOT NULL": "в {table} строк: "
    "{rows}, а "
    "{column} новый: ему нужен server_default, или заполните его до NOT NULL",
    "{column} has no NULL without these migrations: they make it": "без этих миграций в {column} нет NULL: они их и создают",
    "{nulls} of {rows} rows have NULL in {column}: fill or delete them in the revision, before the constraint": "строк с NULL в {column}: {nulls} из "
    "{rows}: заполните или удалите их в ревизии до ограничения",
    "{what} has no duplicates without these migrations: they make them": "без этих миграций в {what} нет повторов: они их и создают",
    "{rows} rows of {what} share {keys} keys: {surplus} of them have to go or change before the index": "строк {what} с общими ключами: {rows} "
    "(ключей: "
    "{keys}): из них {surplus} нужно убрать или изменить до индекса",
    "no row of {what} lacks its row in {table} without these migrations: they make them": "без этих миграций у каждой строки {what} есть строка в "
    "{table}: они их и создают",
    "{count} of {rows} rows of {what} point to rows of {table} that do not exist: mend them before the constraint": "строк {what}, которые "
    "ссылаются на "
    "несуществующие строки {table}: {count} из {rows}: исправьте их до ограничения",
    "{column} is {type}, wanted is {wanted}: say how with postgresql_using": "{column}: {type}, нужен {wanted}: скажите как, через postgresql_using",
    "{pairs}: the types of both sides must agree": "{pairs}: типы обеих сторон должны совпадать",
    "the unique keys of {table} are: {keys}": "уникальные ключи {table}: {keys}",
    "{table} has {rows} rows; which of them break the condition has to be asked with the condition itself": "в {table} строк: {rows}; какие из них "
    "нарушают условие, можно узнать только с самим условием",
    "{count} of {rows} rows of {table} break the condition": "условие нарушают {count} из {rows} строк {table}",
    "{table} is owned by {owner}: the application's role needs to be a member of it, on production as on the copy": "владелец {table} — {owner}: "
    "роль "
    "приложения должна в неё входить, и на продакшене, и на копии",
    "on {table} depend: {what}": "от {table} зависят: {what}",
    "what stands in the way could not be looked up on the copy: {error}": "что мешает, выяснить на копии не удалось: {error}",
}
