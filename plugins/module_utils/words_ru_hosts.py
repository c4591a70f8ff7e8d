# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Russian of what the stages on the hosts say: backup, transfer, the copy, clean-up. See `words_heard.py`."""

from __future__ import annotations

from typing import Dict

TEXTS: Dict[str, str] = {
    "no engine of SQLAlchemy's leads to database {database}": "ни один engine SQLAlchemy не ведёт в базу {database}",
    # What a stage did.
    "{tables} tables, {rows} rows, {mb} MB": "таблиц: {tables}, строк: {rows}, {mb} МБ",
    "physical copy of the server, {mb} MB; not where pg_basebackup runs: {programs}": "физическая копия сервера, {mb} МБ; "
    "там, где работает pg_basebackup, нет: {programs}",
    "{tables} tables, {rows} rows, {mb} MB; not where pg_dump runs: {programs}": (
        "таблиц: {tables}, строк: {rows}, {mb} МБ; там, где работает pg_dump, нет: {programs}"
    ),
    "{tables} tables, {rows} rows, {outcome}": "таблиц: {tables}, строк: {rows}, {outcome}",
    "{count} tables in the catalog": "таблиц в каталоге: {count}",
    "{rows} rows of {tables} tables fingerprinted": "сняты отпечатки строк: {rows}, таблиц: {tables}",
    "{count} foreign keys checked for orphans": "внешних ключей проверено на строки без родителя: {count}",
    "rows of {named} followed": "строки сверены по одной: {named}",
    "changed rows not counted": "изменённые строки не посчитаны",
    "equal to the manifest": "совпадает с манифестом",
    "not held against production": "с продакшеном не сверялась",
    "{count} differences": "различий: {count}",
    "no difference": "различий нет",
    "not compared: {reason}": "не сравнивалось: {reason}",
    "not measured: {reason}": "не измерено: {reason}",
    "{ran} revisions from nothing, no difference": "ревизий с пустой базы: {ran}, различий нет",
    "{ran} revisions from nothing, {count} differences": "ревизий с пустой базы: {ran}, различий: {count}",
    "{count} revisions, each up, down and up again": "ревизий: {count}, каждая вверх, вниз и снова вверх",
    "{count} revisions, each up, down and up again: not to the end": "ревизий: {count}, каждая вверх, вниз и снова вверх: не до конца",
    "physical copy of the server, {mb} MB": "физическая копия сервера, {mb} МБ",
    "production described; dev takes the physical copy itself": "продакшен описан; физическую копию dev снимает сам",
    "{mb} MB fetched": "получено {mb} МБ",
    "{mb} MB fetched, resumed {times} times": "получено {mb} МБ, продолжений: {times}",
    "{mb} MB sent": "отправлено {mb} МБ",
    "{mb} MB sent, resumed {times} times": "отправлено {mb} МБ, продолжений: {times}",
    "{mb} MB sent to {host}": "отправлено {mb} МБ на {host}",
    "{sent}; resumed after {mb} MB": "{sent}; продолжено после {mb} МБ",
    "other sessions and replication lag are not measured: the role lacks pg_read_all_stats": "другие сеансы и отставание репликации не измерены: у "
    "роли нет pg_read_all_stats",
    "replication {lag} s behind; other sessions are not measured: the role lacks pg_read_all_stats": "отставание репликации {lag} с; другие "
    "сеансы не измерены: у роли нет pg_read_all_stats",
    "{others}, replication lag is not measured": "{others}, отставание репликации не измерено",
    "longest transaction {seconds} s, {sessions} other sessions active": "самая долгая транзакция {seconds} с, других активных сеансов: {sessions}",
    "replication {lag} s behind": "отставание репликации {lag} с",
    "longest transaction {seconds} s, {sessions} other sessions active, replication {lag} s behind": "самая долгая транзакция {seconds} с, других "
    "активных сеансов: {sessions}, отставание репликации {lag} с",
    "the tasks of {file} went well": "задачи из {file} выполнены",
    "nothing was there": "там ничего не было",
    "database {name}": "база {name}",
    "{sessions} sessions of «{session}»": "сеансов «{session}»: {sessions}",
    "server with database {name}": "сервер с базой {name}",
    "server of the copy in {path}": "сервер копии в {path}",
    "could not look: {error}": "посмотреть не удалось: {error}",
    "no message": "без сообщения",
    # The backup.
    "{error}: a table is held by another session, or one waits to alter it, and was not free within {seconds} s; rehearse again at another time, or "
    "allow more with rehearsal_production_lock_timeout ({advice})": "{error}: таблицу держит другой сеанс, или кто-то ждёт, чтобы её изменить, и "
    "она не "
    "освободилась за {seconds} с; повторите в другое время или разрешите больше через rehearsal_production_lock_timeout ({advice})",
    "{error}: the backup was ended: {reason}; rehearse again at a quieter time": "{error}: резервное копирование прервано: {reason}; повторите в "
    "более "
    "спокойное время",
    "replication is {lag} s behind, {allowed} s are allowed (rehearsal_production_max_replication_lag)": "репликация отстаёт на {lag} с, допустимо "
    "{allowed} с (rehearsal_production_max_replication_lag)",
    "{sessions} other sessions are active, {allowed} are allowed (rehearsal_production_max_active_sessions)": "других активных сеансов: {sessions}, "
    "допустимо {allowed} (rehearsal_production_max_active_sessions)",
    "production's load cannot be watched: {error}": "за нагрузкой продакшена нельзя следить: {error}",
    "the backup cannot be read: {error}": "резервная копия не читается: {error}",
    "cannot unpack the backup into {path}: {error}": "резервную копию нельзя распаковать в {path}: {error}",
    "the manifest is missing from the backup": "в резервной копии нет манифеста",
    "the manifest changed on its way from production": "манифест изменился по пути с продакшена",
    "the backup has files that its manifest does not know: {files}": "в резервной копии есть файлы, которых нет в манифесте: {files}",
    "unexpected entry «{name}» in the backup": "неожиданная запись «{name}» в резервной копии",
    "{file} is missing from the backup": "в резервной копии нет {file}",
    "{file} is not what was taken on production: the checksums differ": "{file} — не то, что снято на продакшене: контрольные суммы различаются",
    "{file} is a tar archive without a {name} of pg_dump's": "{file} — архив tar без {name} от pg_dump",
    "{file} is a directory without {name}: it is no backup in pg_dump's directory format": "{file} — каталог без {name}: это не резервная "
    "копия в формате каталога pg_dump",
    "{file} is one file of a backup in pg_dump's {format} format: name the whole of it": "{file} — один файл резервной копии pg_dump в "
    "формате {format}: укажите копию целиком",
    "{file} is a dump of a whole cluster (pg_dumpall): a rehearsal needs one database, dumped with pg_dump": "{file} — дамп всего кластера "
    "(pg_dumpall): для репетиции нужна одна база, выгруженная pg_dump",
    "{file} is neither SQL nor an archive of pg_dump's": "{file} — не SQL и не архив pg_dump",
    "there is no backup file {file}": "файла резервной копии {file} нет",
    "the backup file {file} cannot be read: {error}": "файл резервной копии {file} не читается: {error}",
    "{file} is not the table of contents of a directory that pg_dump made": "{file} — не оглавление каталога, созданного pg_dump",
    "{file} is compressed with {program}, and this host has no program of that name: install {package}": "{file} сжат {program}, а на этом хосте "
    "такой "
    "программы нет: установите {package}",
    "{file} is damaged: {program} ended with exit code {code}": "{file} повреждён: {program} завершилась с кодом {code}",
    "{file} holds a {name} that pg_dump did not make": "в {file} есть {name}, созданный не pg_dump",
    "cannot make {file} ready to be carried: {error}": "{file} нельзя подготовить к передаче: {error}",
    "{file} is cut short: {why}": "{file} обрывается: {why}",
    "it ends within the rows of a table": "он кончается посреди строк таблицы",
    "its last line is missing": "нет последней строки",
    "{file}, line {line}: a command of psql («{command}»), which could lead to another database: make the dump with pg_dump without --create and "
    "--clean, or in the custom format": "{file}, строка {line}: команда psql («{command}»), которая может увести в другую базу: сделайте дамп "
    "pg_dump "
    "без --create и --clean или в формате custom",
    "{file}, line {line}: it creates, drops or alters a database: make the dump with pg_dump without --create and --clean, or in the custom "
    "format": "{file}, строка {line}: создаёт, удаляет или меняет базу: сделайте дамп pg_dump без --create и --clean или в формате custom",
    "{file}, line {line}: «{words}» is about the whole server, not about the copy: make the dump with pg_dump, and have the roles that it needs on "
    "dev's server before": "{file}, строка {line}: «{words}» касается всего сервера, а не копии: сделайте дамп pg_dump, а нужные ему роли создайте "
    "на сервере dev заранее",
    "{file}, line {line}: {why}": "{file}, строка {line}: {why}",
    "a COPY to or from a file or a program, which pg_dump does not write": "COPY в файл, из файла или через программу: pg_dump такого не пишет",
    "COPY within another statement": "COPY внутри другой команды",
    "COPY FROM stdin is not the last of its line": "COPY FROM stdin не завершает строку",
    "a zero byte, which no text of PostgreSQL's has: the file is damaged": "нулевой байт, которого нет ни в одном тексте PostgreSQL: файл повреждён",
    "standard_conforming_strings is not set as pg_dump sets it": "standard_conforming_strings задан не так, как его задаёт pg_dump",
    "a string goes on on a line of its own, which psql and the server read differently": "строковая константа продолжается на отдельной строке: "
    "psql и сервер читают это по-разному",
    "«{text}» beside a quote, which versions of psql read differently": "«{text}» рядом с кавычкой: версии psql читают это по-разному",
    "the dump is in {encoding}, which cannot be looked through: make it with pg_dump --encoding=UTF8": "дамп в кодировке {encoding}, которую нельзя "
    "просмотреть: сделайте его с pg_dump --encoding=UTF8",
    "it ends within a string, a name or a comment": "он кончается внутри строковой константы, имени или комментария",
    "it ends before the rows of a table": "он кончается перед строками таблицы",
    "the dump could not be brought out of «{prefix}»: {error}": "дамп не удалось вынести из «{prefix}»: {error}",
    "the dump could not be brought to where «{prefix}» runs: {error}": "дамп не удалось перенести туда, где работает «{prefix}»: {error}",
    "the dump could not be handed on, {error}: what was not written to any file has to be dumped again": "дамп не удалось передать дальше, "
    "{error}: то, "
    "что не записано в файл, придётся выгружать снова",
    "the dump could not be written to {file}: {error}": "дамп не удалось записать в {file}: {error}",
    "nobody came to read {file} within {seconds} s": "никто не пришёл читать {file} за {seconds} с",
    "{where}: table {name} could not be copied: {error}": "{where}: таблицу {name} не удалось скопировать: {error}",
    "its rows did not arrive": "её строки не дошли",
    "its rows were not read to their end": "её строки прочитаны не до конца",
    "its rows were not read within {seconds} s": "её строки не прочитаны за {seconds} с",
    "{file} has fewer bytes than were written to it": "в {file} меньше байтов, чем туда записано",
    "{file} is not what COPY writes": "{file} — не то, что пишет COPY",
    "it was stopped": "это было остановлено",
    "the dump was stopped: not done within {seconds} s": "дамп остановлен: не готов за {seconds} с",
    "{where} is PostgreSQL {version}, and the backup was made for a copy in version {wanted}: rehearse anew, so that preflight sees which server "
    "there is now": "{where} — PostgreSQL {version}, а резервная копия снята для копии в версии {wanted}: проведите репетицию заново, чтобы "
    "было видно, какой там сервер сейчас",
    "the copy was stopped: production was not read within {seconds} s": "копирование остановлено: продакшен не прочитан за {seconds} с",
    "rehearsal_production_from_dev leads to another server than production's ({where})": "rehearsal_production_from_dev ведёт не на сервер "
    "продакшена ({where})",
    "dev does not reach production by rehearsal_production_from_dev: {error}": "dev не достаёт до продакшена по rehearsal_production_from_dev: "
    "{error}",
    "the backup could not be written there: {error}": "резервную копию там не удалось записать: {error}",
    # Physical copies.
    "its PostgreSQL is older than 13, whose base backups have no checksums to prove them by": "его PostgreSQL старше 13: у таких физических "
    "копий нет "
    "контрольных сумм, чтобы их доказать",
    "wal_level is minimal there, and a base backup needs replica": "там wal_level: minimal, а физической копии нужен replica",
    "{taken} of its {count} WAL senders are taken (max_wal_senders), and {wanted} must be free": "из его отправителей WAL ({count}, max_wal_senders) "
    "занято {taken}, а свободными должны быть {wanted}",
    "pg_basebackup is version {version} there, older than the server": "pg_basebackup там версии {version}, старше сервера",
    "{what} needs about {needed} MiB below {path}, and {free} MiB are free": "{what}: нужно около {needed} МиБ в {path}, свободно {free} МиБ",
    "the base backup": "физическая копия в пути",
    "the physical copy": "физическая копия",
    "the base backup could not be handed on: {error}": "физическую копию не удалось передать дальше: {error}",
    "the physical copy is not what production's server sent: {said}": "физическая копия — не то, что прислал сервер продакшена: {said}",
    "the physical copy's own list of checksums is damaged": "собственный список контрольных сумм физической копии повреждён",
    "the physical copy has no list of checksums that can be read: {error}": "у физической копии нет читаемого списка контрольных сумм: {error}",
    "the physical copy lacks {file}, which production's server sent": "в физической копии нет {file}, который прислал сервер продакшена",
    "{file} of the physical copy is not what production's server sent: the checksums differ": "{file} физической копии — не то, что прислал сервер "
    "продакшена: контрольные суммы различаются",
    "it has {count} tablespaces of its own, which do not fit into one stream": "у него есть свои табличные пространства ({count}), которые не "
    "помещаются "
    "в один поток",
    "it lets no replication connection of the role in: add a line «replication» to its pg_hba.conf": "он не принимает соединения репликации этой "
    "роли: "
    "добавьте строку «replication» в его pg_hba.conf",
    "a replication connection could not be tried": "соединение репликации не удалось проверить",
    "production sorts text with the C library {production}, dev with {dev}: the copy's text indexes would be out of order": "продакшен сортирует "
    "текст "
    "библиотекой C {production}, dev — {dev}: текстовые индексы копии оказались бы не по порядку",
    "the base backup is not what was taken on production: the checksums differ": "физическая копия — не то, что снято на продакшене: контрольные "
    "суммы "
    "различаются",
    "unexpected entry «{name}» in the base backup": "неожиданная запись «{name}» в физической копии",
    "unexpected link «{name}» in the base backup": "неожиданная ссылка «{name}» в физической копии",
    "the base backup cannot be read: {error}": "физическая копия не читается: {error}",
    "cannot unpack the base backup into {path}: {error}": "физическую копию нельзя распаковать в {path}: {error}",
    # A copy that was kept as a template.
    "rehearsal {id} kept its copy with rehearsal_copy: {there}, and it is {place} now: rehearse from the beginning": "репетиция {id} сохранила свою "
    "копию с rehearsal_copy: {there}, а теперь он {place}: репетируйте с начала",
    "directory {name} does not carry the marker of the template that rehearsal {id} kept: it was not touched": "каталог {name} не несёт метки "
    "шаблона, который сохранила репетиция {id}: его не тронули",
    "the template {name} cannot be read: {error}": "шаблон {name} не читается: {error}",
    "a server has been started on the template {name} since it was kept: what is in it is not known; rehearse from the beginning": "на шаблоне "
    "{name} с тех пор, как он сохранён, запускали сервер: что в нём, неизвестно; репетируйте с начала",
    "the copy could not be kept in {path}: {error}": "копию не удалось сохранить в {path}: {error}",
    "the template {name} could not be copied to {path}: {error}": "шаблон {name} не удалось скопировать в {path}: {error}",
    "the copy has no server of its own in {path} that could be kept": "у копии нет в {path} своего сервера, который можно было бы сохранить",
    "the copy in a server of its own, with its template": "копии на своём сервере, с её шаблоном",
    "the template {name} is not there (any more): rehearse from the beginning": "шаблона {name} (уже) нет: репетируйте с начала",
    "database {name} does not carry the marker of the template that rehearsal {id} kept: it was not touched": "база {name} не несёт метки шаблона, "
    "который сохранила репетиция {id}: её не тронули",
    "the template {name} has expired ({expires}): rehearse from the beginning": "срок шаблона {name} истёк ({expires}): репетируйте с начала",
    "the template {name} was kept on PostgreSQL {then}, and this server is {now}: rehearse from the beginning": "шаблон {name} сохранён на "
    "PostgreSQL {then}, а этот сервер — {now}: репетируйте с начала",
    "the template {name} has been opened to connections since it was kept: what is in it is not known; rehearse from the beginning": "шаблон {name} "
    "с тех пор, как он сохранён, открыли для подключений: что в нём, неизвестно; репетируйте с начала",
    "it stands at {now} now, and at {then} when the template of rehearsal {id} was made: rehearse from the beginning": "сейчас он на {now}, а когда "
    "делали шаблон репетиции {id}, был на {then}: репетируйте с начала",
    "it runs PostgreSQL {now} now, and {then} when the template of rehearsal {id} was made: rehearse from the beginning": "сейчас там PostgreSQL "
    "{now}, а когда делали шаблон репетиции {id}, был {then}: репетируйте с начала",
    "there is no copy {name} to make a template of": "нет копии {name}, из которой сделать шаблон",
    "cannot copy database {from} to {to}: {error}": "не удалось скопировать базу {from} в {to}: {error}",
    "the copy with its template": "копии с её шаблоном",
    "{tables} tables, {rows} rows, from the kept template": "таблиц: {tables}, строк: {rows}, из сохранённого шаблона",
    "from the kept template": "из сохранённого шаблона",
    "{database}, {size} MB, kept until {expires}": "{database}, {size} МБ, хранится до {expires}",
    "set rehearsal_keep: template and rehearse from the beginning": "задайте rehearsal_keep: template и репетируйте с начала",
    "the template that rehearsal {id} kept has expired ({expires}): rehearse from the beginning": "срок шаблона, который сохранила репетиция {id}, "
    "истёк ({expires}): репетируйте с начала",
    "no rehearsal of {source} on {host} below {root} has kept a template: {advice}": "ни одна репетиция {source} на {host} в {root} не сохранила "
    "шаблона: {advice}",
    "there is no rehearsal {id} below {root}": "нет репетиции {id} в {root}",
    "rehearsal {id} was one of {source} on {host}, not of {wanted} on {here}": "репетиция {id} была репетицией {source} на {host}, а не {wanted} на "
    "{here}",
    "rehearsal {id} kept no template: {advice}": "репетиция {id} не сохранила шаблона: {advice}",
    "the evidence of the template in {path} cannot be read ({error}): rehearse from the beginning": "свидетельства о шаблоне в {path} не читаются "
    "({error}): репетируйте с начала",
    "{directory}/{file} is not there": "нет файла {directory}/{file}",
    # The copy and its server.
    "database {name} is there already and does not carry a rehearsal's marker: it was not touched; choose another name": "база {name} уже есть и "
    "не несёт "
    "метки репетиции: её не тронули; выберите другое имя",
    "database {name} is the copy of rehearsal {id}: it was not touched; sweep it or choose another name": "база {name} — копия репетиции {id}: её не "
    "тронули; удалите её через sweep или выберите другое имя",
    "{refused} ({server})": "{refused} ({server})",
    "database {name} is still there after it was dropped": "база {name} всё ещё есть после удаления",
    "{server} is not the copy of rehearsal {id}": "{server} — не копия репетиции {id}",
    "{what}: production has {production}, the copy's server {copy}": "{what}: на продакшене {production}, на сервере копии {copy}",
    "PostgreSQL does not run as root, and dev has no {user}: name a system user in rehearsal_ephemeral.owner, or connect as another user than "
    "root": "PostgreSQL не работает от root, а на dev нет {user}: укажите системного пользователя в rehearsal_ephemeral.owner или подключайтесь не "
    "от root",
    "such user as {name}": "пользователя {name}",
    "user postgres or nobody": "пользователя postgres или nobody",
    "no temporary directory with a path that is short enough for a socket: set TMPDIR to one": "нет временного каталога с путём, достаточно "
    "коротким для "
    "сокета: задайте его в TMPDIR",
    "system user {user}, as which the copy's own server runs, cannot reach {path}: name another rehearsal_ephemeral.bin_dir": "системному "
    "пользователю "
    "{user}, от которого работает сервер копии, недоступен {path}: задайте другой rehearsal_ephemeral.bin_dir",
    "system user {user} cannot reach {path}: name another rehearsal_ephemeral.directory": "системному пользователю {user} недоступен {path}: задайте "
    "другой rehearsal_ephemeral.directory",
    "initdb ended with exit code {code} for the copy's own server in {path}: {said}": "initdb завершилась с кодом {code} для сервера копии в {path}: "
    "{said}",
    "the copy's own server did not start in {path}: {said}": "сервер копии не запустился в {path}: {said}",
    "the copy's own server in {path} (process {process}) did not stop within {seconds} s": "сервер копии в {path} (процесс {process}) не остановился "
    "за {seconds} с",
    "the restored copy in {path} could not be flushed to disk: {error}": "восстановленную копию в {path} не удалось сбросить на диск: {error}",
    "{setting}: {library} was left out: it acts on its own": "{setting}: {library} не подключена: она действует сама",
    "{setting}: {library} is not installed on dev": "{setting}: {library} не установлена на dev",
    "{setting}: the server did not start with it ({said})": "{setting}: с ней сервер не запустился ({said})",
    "{setting}: production has {production} MiB, dev can give {dev} MiB": "{setting}: на продакшене {production} МиБ, dev может дать {dev} МиБ",
    "membership of {role} in {group}: {error}": "членство {role} в {group}: {error}",
    "setting of role {role}: {error}": "настройка роли {role}: {error}",
    "{setting} of role {role}: {error}": "{setting} роли {role}: {error}",
    "there is no backup in {path} to take the old rows from": "в {path} нет резервной копии, из которой взять прежние строки",
    "a declared change cannot be measured: {error}": "объявленное изменение нельзя измерить: {error}",
    "the copy was changed by added tasks after it had been restored, so the backup does not hold its old rows": "копию изменили добавленные задачи "
    "после восстановления, поэтому прежних строк в резервной копии нет",
    "{thing}: the declared expression is empty, or its parentheses or quotes are not closed": "{thing}: объявленное выражение пусто, или в нём не "
    "закрыты скобки или кавычки",
    "{thing}: the declared expression has {what}": "{thing}: в объявленном выражении есть {what}",
    "{thing}: the declared expression gives {values} values for {rows} rows": "{thing}: объявленное выражение даёт {values} значений на {rows} строк",
    "{thing}: the declared expression is refused: {error}": "{thing}: объявленное выражение отвергнуто: {error}",
    "{thing}: declared as changed, but there is no such column": "{thing}: объявлен изменённым, но такого столбца нет",
    "{thing}: declared as changed, but there is no such column among the tables asked for": "{thing}: объявлен изменённым, но среди запрошенных "
    "таблиц "
    "такого столбца нет",
    "{thing}: a change of a primary key column cannot be proved, rows are bound to it": "{thing}: изменение столбца первичного ключа нельзя "
    "доказать: "
    "к нему привязаны строки",
    "{thing}: a list or a dictionary cannot be a value of type {type}": "{thing}: список или словарь не может быть значением типа {type}",
    "there is no table {name}": "таблицы {name} нет",
    "existing rows of {table}: {error}": "существующие строки {table}: {error}",
    "large objects: this role may only count them": "большие объекты: эта роль может их только посчитать",
    "foreign table: its rows are on another server": "внешняя таблица: её строки на другом сервере",
    "materialized view: made from other tables": "материализованное представление: строится из других таблиц",
    "partitioned table with a foreign partition: its local partitions are read each by itself": "секционированная таблица с внешней секцией: её "
    "местные "
    "секции читаются каждая сама по себе",
    "{jobs} would run by the clock": "по расписанию запустилось бы: {jobs}",
    "{left} of them are enabled still": "из них всё ещё включено: {left}",
    "its launcher would run production's jobs": "его планировщик выполнял бы задания продакшена",
    "its user mappings open a connection to another server": "его сопоставления пользователей открывают соединение с другим сервером",
    "takes rows from its publisher": "берёт строки у своего издателя",
    "runs {function}: {reason}": "выполняет {function}: {reason}",
    "language {language} may do anything": "язык {language} может что угодно",
    "the key ({names}) of {table} is not what it was": "ключ ({names}) таблицы {table} уже не тот",
    "{table} has no column that it had": "в {table} нет ни одного прежнего столбца",
    "rows of production break this already, though its catalog has it: clean them there, or copy with rehearsal_source: basebackup, which takes "
    "them as they are": "строки рабочей базы уже нарушают это, хотя в её каталоге оно есть: исправьте их там или копируйте с rehearsal_source: "
    "basebackup — тогда они берутся как есть",
    "rows have other keys than before, or are gone": "у строк другие ключи, или этих строк больше нет",
    "uses {word}": "использует {word}",
    "calls {function}": "вызывает {function}",
    "as dumped": "как в дампе",
    "extension version": "версия расширения",
    "values": "значения",
    "not told by the backup": "в резервной копии не сказано",
    "settings": "настройки",
    "collate": "порядок сортировки",
    "ctype": "типы символов",
    "locale_provider": "поставщик локали",
    "locale": "локаль",
    "time_zone": "часовой пояс",
    "scheduled jobs": "задания по расписанию",
    "settings of the database": "настройки базы",
    # The work directory.
    "cannot make the work directory {path}: {error}": "рабочий каталог {path} нельзя создать: {error}",
    "cannot make the directory {path}: {error}": "каталог {path} нельзя создать: {error}",
    "{path} is there already and is not a rehearsal's: nothing was touched": "{path} уже есть и не принадлежит репетиции: ничего не тронуто",
    "{path} belongs to rehearsal {id}: nothing was touched": "{path} принадлежит репетиции {id}: ничего не тронуто",
    "{path} does not carry a rehearsal's marker: left alone": "{path} не несёт метки репетиции: оставлен как есть",
    "{path} does not carry a rehearsal's marker": "{path} не несёт метки репетиции",
    "{path} is not a rehearsal's": "{path} не принадлежит репетиции",
    "cannot remove {paths} (and {more} more)": "нельзя удалить {paths} (и ещё {more})",
    "cannot remove {paths}": "нельзя удалить {paths}",
}
