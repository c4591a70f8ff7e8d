# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Russian of what preflight says: hosts and their connections, and what stands in the way of a rehearsal. See `words_heard.py`."""

from __future__ import annotations

from typing import Dict

TEXTS: Dict[str, str] = {
    # Hosts and connections.
    "{host} cannot be reached: {error}": "{host} недоступен: {error}",
    "{host} cannot be reached from production: {error}; rehearsal_transfer controller needs no such way": "{host} недоступен с продакшена: {error}; "
    "rehearsal_transfer controller такого пути не требует",
    "could not become {user}: {error}": "не удалось стать {user}: {error}",
    "not a byte was moved for {seconds} s": "за {seconds} с не передано ни байта",
    "the command did not end within {seconds} s after its last byte": "команда не завершилась за {seconds} с после последнего байта",
    "the connection broke": "соединение оборвалось",
    "ended with exit code {code}": "завершилась с кодом {code}",
    "ended with exit code {code}: {said}": "завершилась с кодом {code}: {said}",
    "was killed by signal {number}": "убита сигналом {number}",
    "«{command}» ended with exit code {code}": "«{command}» завершилась с кодом {code}",
    "«{command}» ended with exit code {code}: {said}": "«{command}» завершилась с кодом {code}: {said}",
    "«{command}» was killed by signal {number}": "«{command}» убита сигналом {number}",
    "«{command}» was killed by signal {number}: {said}": "«{command}» убита сигналом {number}: {said}",
    "«{command}» was stopped: not done within {seconds} s": "«{command}» остановлена: не закончила за {seconds} с",
    "«{command}» did not answer within {seconds} s": "«{command}» не ответила за {seconds} с",
    "«{command}» could not be run: {error}": "«{command}» не запускается: {error}",
    "{server}: no answer within {seconds} s": "{server}: нет ответа за {seconds} с",
    "psql ended without a word": "psql завершился без единого слова",
    "no answer within {seconds} s": "нет ответа за {seconds} с",
    "cannot start ssh: {error}": "ssh не запускается: {error}",
    "{file} should have {wanted} bytes, and {arrived} arrived": "{file}: должно быть {wanted} байт, пришло {arrived}",
    "it ended after {sent} of {all} bytes": "оборвалось после {sent} из {all} байт",
    "{there} of {all} bytes are there": "на месте {there} из {all} байт",
    "files of {user} cannot be carried over connection {connection}: use the ssh connection, or log in as that user": "файлы {user} нельзя передать "
    "через соединение {connection}: используйте соединение ssh или входите этим пользователем",
    "a backup cannot be streamed over connection {connection}: choose rehearsal_transfer controller": "резервную копию нельзя передать потоком через "
    "соединение "
    "{connection}: задайте rehearsal_transfer: controller",
    "the end of the backup did not arrive": "конец резервной копии не дошёл",
    "ansible-playbook ended before the rehearsal did": "ansible-playbook закончился раньше репетиции",
    "ansible-playbook ended before the rehearsal did; clean-up was run after it": "ansible-playbook закончился раньше репетиции; уборка выполнена "
    "после него",
    "task «{task}» of rehearsal_{moment}_tasks ({file}) failed on {host}": "задача «{task}» из rehearsal_{moment}_tasks ({file}) не выполнилась на "
    "{host}",
    # Preflight.
    "production: {problem}": "продакшен: {problem}",
    "dev: {problem}": "dev: {problem}",
    "{side}: no physical copy: {reason}": "{side}: физической копии не будет: {reason}",
    "production: role {role} has no rights to dump {objects} of {database}: grant it SELECT (role pg_read_all_data has all that is "
    "needed)": "продакшен: у роли {role} нет прав на выгрузку {objects} ({database}): дайте ей SELECT (у роли pg_read_all_data есть всё нужное)",
    "{named} and {more} more": "{named} и ещё {more}",
    "{setting} is set, and role {role} cannot see what it limits: GRANT pg_read_all_stats TO it, or set it to 0": "{setting} задан, а роль {role} не "
    "видит того, что он ограничивает: GRANT pg_read_all_stats TO этой роли или 0",
    "{setting} is set, and how far a replica is behind that streams from no primary cannot be told: set it to 0": "{setting} задан, а отставание "
    "реплики, которая не читает поток с ведущего сервера, узнать нельзя: задайте 0",
    "dev: role {role} may not create databases on {server}: ALTER ROLE … CREATEDB": "dev: роли {role} нельзя создавать базы на {server}: ALTER "
    "ROLE … "
    "CREATEDB",
    "dev: PostgreSQL {dev} is older than production's {production}: a dump cannot be restored into an older server; give dev production's major "
    "version": "dev: PostgreSQL {dev} старше, чем на продакшене ({production}): дамп нельзя восстановить в более старый сервер; поставьте на dev "
    "основную версию продакшена",
    "production runs PostgreSQL {production}, dev {dev}": "на продакшене PostgreSQL {production}, на dev {dev}",
    "dev lacks {count} of the roles that own or may use production's objects: on the copy what they own is {role}'s, and what is granted to them is "
    "left out; a migration that names one fails for that reason alone. CREATE ROLE … NOLOGIN on dev, or rehearsal_copy: ephemeral": "на dev нет "
    "ролей ({count}), которым на продакшене принадлежат или доступны объекты: на копии их объекты принадлежат {role}, а выданных им прав нет; "
    "миграция, которая называет такую роль, упадёт только поэтому. CREATE ROLE … NOLOGIN на dev или rehearsal_copy: ephemeral",
    "role {role} of dev is no superuser: on the copy it owns what it may not give to production's owners": "роль {role} на dev не суперпользователь: "
    "на копии ей принадлежит то, что она не может отдать владельцам с продакшена",
    "dev: only a superuser can make {things}, and role {role} is none: name one in rehearsal_postgres, or have rehearsal_copy: ephemeral": "dev: "
    "создать {things} может только суперпользователь, а роль {role} не из них: назовите его в rehearsal_postgres или "
    "задайте rehearsal_copy: ephemeral",
    "role {role} is on production and not on dev's server, which is no fault of the migration: CREATE ROLE {name} NOLOGIN there, or have "
    "rehearsal_copy: ephemeral, which makes production's roles": "роль {role} есть на продакшене, но не на сервере dev, и миграция в этом не "
    "виновата: CREATE ROLE {name} NOLOGIN там или rehearsal_copy: ephemeral, где создаются роли продакшена",
    "pg_restore cannot read the backup's definitions (exit code {code})": "pg_restore не читает определения из резервной копии (код {code})",
    "pg_restore cannot read {file}: it is damaged, or was made by a newer pg_dump than the pg_restore in {path} ({error})": "pg_restore не читает "
    "{file}: файл повреждён или сделан pg_dump новее, чем pg_restore в {path} ({error})",
    "dev: the copy would be {name}, which is production's own database on the same server: it was not touched; choose another name": "dev: "
    "копией стала "
    "бы {name} — сама база продакшена на том же сервере: её не тронули; выберите другое имя",
    "production has tables in {count} tablespaces of its own; on the copy all are in one place": "у таблиц продакшена {count} собственных "
    "табличных пространств; на копии всё лежит в одном месте",
    "dev has no such tablespace: a migration that names it fails on the copy for that reason alone": "на dev нет такого табличного пространства: "
    "миграция, которая его называет, упадёт на копии только поэтому",
    "dev: its system has no locale {names}, which production's database is made with: generate it there (locale-gen, localedef)": "dev: в системе "
    "нет локали {names}, с которой создана база продакшена: создайте её там (locale-gen, localedef)",
    "«{command}» does not tell its version": "«{command}» не сообщает свою версию",
    "dev: pg_restore is version {restore} and cannot read what production's pg_dump {dump} writes: install the newer client on dev, or name an older "
    "pg_dump in production's rehearsal_postgres.bin_dir": "dev: pg_restore версии {restore} не читает того, что пишет pg_dump {dump} продакшена: "
    "поставьте на dev клиент новее или назовите pg_dump постарше в rehearsal_postgres.bin_dir продакшена",
    "dev: pg_restore is version {restore} and sets transaction_timeout, which dev's PostgreSQL {server} does not know: name the directory of a "
    "client of version 16 or older in dev's rehearsal_postgres.bin_dir": "dev: pg_restore версии {restore} задаёт transaction_timeout, которого "
    "PostgreSQL {server} на dev не знает: назовите каталог клиента не новее 16 в rehearsal_postgres.bin_dir у dev",
    "dev: extension {name}, which production has in version {version}, is not installed on dev's server": "dev: расширение {name}, которое на "
    "продакшене имеет версию {version}, не установлено на сервере dev",
    "dev: extension {name}, which production has in version {version}, is not installed beside {path}": "dev: расширение {name}, которое на "
    "продакшене "
    "имеет версию {version}, не установлено рядом с {path}",
    "extension {name} is {production} on production; a restore on dev makes {dev}": "расширение {name}: {production} на продакшене; "
    "восстановление на "
    "dev создаёт {dev}",
    "{side}: {tool} is version {version}, older than the server's {server}: it would refuse; install the newer client and name its directory in "
    "{variable}.bin_dir": "{side}: {tool} версии {version} старше сервера ({server}): он откажется; установите более новый клиент и "
    "укажите его каталог в {variable}.bin_dir",
    "{side}: {path} does not exist and cannot be made": "{side}: {path} не существует, и создать его нельзя",
    "{side}: {what} needs about {needed} MiB below {path}, and {free} MiB are free": "{side}: {what}: нужно около {needed} МиБ в {path}, свободно "
    "{free} МиБ",
    "the dump": "дамп",
    "the dump in the container": "дамп в контейнере",
    "the backup on its way to dev": "резервная копия по пути на dev",
    "dev: {what} needs at least {needed} MiB below {path}, and {free} MiB are free": "dev: {what}: нужно не меньше {needed} МиБ в {path}, свободно "
    "{free} МиБ",
    "dev: the backup is compressed with {program}, and dev has no program of that name: install {again}, or decompress the backup": "dev: резервная "
    "копия сжата {program}, а программы с таким именем на dev нет: установите {again} или распакуйте копию",
    "dev: extension {name}, which the backup needs, is not installed on dev's server": "dev: расширение {name}, нужное резервной копии, не "
    "установлено на сервере dev",
    "dev: extension {name}, which the backup needs, is not installed beside {path}": "dev: расширение {name}, нужное резервной копии, не установлено "
    "рядом с {path}",
    "dev: pg_restore cannot read {file}: it is damaged, or was made by a newer pg_dump than the pg_restore in {path} ({error})": "dev: pg_restore не "
    "читает {file}: файл повреждён или сделан pg_dump новее, чем pg_restore в {path} ({error})",
    "extension {name} is {there} on production; the programs of dev's belong to {here}": "расширение {name} на продакшене версии {there}, а "
    "программы на dev — версии {here}",
    "production: dev cannot be reached from it by ssh ({host}), see rehearsal_transfer_direct: {error}": "продакшен: с него нельзя попасть на dev по "
    "ssh ({host}), см. rehearsal_transfer_direct: {error}",
    "dev could not try whether it reaches production ({where})": "dev не смог проверить, достаёт ли он до продакшена ({where})",
    "dev gets no replication connection to production ({where}), see rehearsal_production_from_dev: {error}": "dev не получает подключения для "
    "репликации к продакшену ({where}), см. rehearsal_production_from_dev: {error}",
    "rehearsal_production_from_dev ({where}) leads dev to another server than production's": "rehearsal_production_from_dev ({where}) ведёт dev на "
    "другой сервер, не на сервер продакшена",
    "pg_basebackup is version {version} on dev, older than the server": "pg_basebackup на dev версии {version}, старше сервера",
    "the backup with its unpacked dump": "резервная копия с распакованным дампом",
    "the copy in a server of its own": "копия на собственном сервере",
    "dev: system user {user} cannot reach {path}: name another rehearsal_ephemeral.bin_dir or owner": "dev: системному пользователю {user} "
    "недоступен "
    "{path}: задайте другой rehearsal_ephemeral.bin_dir или owner",
    "production sorts by collation {name}, which dev's server does not list: the copy can be made if its system has it": "продакшен сортирует по "
    "{name}, "
    "которого нет в списке сервера dev: копию можно создать, если он есть в системе",
    "collation {name} is of version {production} on production and {dev} on dev: text may sort otherwise": "порядок сортировки {name}: версия "
    "{production} на продакшене и {dev} на dev: текст может сортироваться иначе",
    "production's server is in time zone {production}, dev's in {dev}, and the database does not set its own": "сервер продакшена в часовом поясе "
    "{production}, dev — в {dev}, а база своего не задаёт",
    "a server of its own for the copy needs the server programs of PostgreSQL {version}, production's major version, and they are not on this "
    "host{found}: install postgresql-{package}, or name their directory in rehearsal_ephemeral.bin_dir": "собственному серверу копии нужны серверные "
    "программы PostgreSQL {version} (основной версии продакшена), а на этом хосте их нет{found}: установите postgresql-{package} или укажите их "
    "каталог в rehearsal_ephemeral.bin_dir",
    "a server of its own for the copy needs the server programs of PostgreSQL, and there are none on this host: install postgresql, or name their "
    "directory in rehearsal_ephemeral.bin_dir": "собственному серверу копии нужны серверные программы PostgreSQL, а на этом хосте их нет: установите "
    "postgresql или укажите их каталог в rehearsal_ephemeral.bin_dir",
    "{directory}/postgres does not answer": "{directory}/postgres не отвечает",
}
