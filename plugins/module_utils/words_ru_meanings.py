# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Russian of what each code of a finding means. English text → Russian text."""

from __future__ import annotations

from typing import Dict

# fmt: off
TEXTS: Dict[str, str] = {
    "Something that the rehearsal needs is missing or wrong. It was found before anything was touched.":
    "Чего-то, что нужно репетиции, нет, или оно неверно. Это нашлось до того, как что-либо было тронуто.",
    "The rehearsal itself, not a migration, could not be carried out as far as the end.":
    "Не миграция, а сама репетиция не дошла до конца.",
    "A task of rehearsal_after_restore_tasks or rehearsal_before_upgrade_tasks failed, so that the upgrade was not tried.":
    "Задача из rehearsal_after_restore_tasks или rehearsal_before_upgrade_tasks не выполнилась, поэтому обновление не пробовали.",
    "A task of rehearsal_after_upgrade_tasks failed on the migrated copy. The way back was not tried any more.":
    "Задача из rehearsal_after_upgrade_tasks не выполнилась на обновлённой копии. Путь назад уже не пробовали.",
    "The controller ended (Ctrl-C, a signal, a lost terminal) before the last stage.":
    "Контроллер закончил (Ctrl-C, сигнал, пропавший терминал) до последнего этапа.",
    "A check could not run because its evidence is missing. Nothing is assumed in its place.":
    "Проверка не могла пройти, потому что для неё нет свидетельств. Вместо них ничего не предполагается.",
    "Clean-up could not remove the copy, the dump or the work files, or could not prove that they are gone.":
    "Уборка не смогла удалить копию, дамп или рабочие файлы либо доказать, что их больше нет.",
    "A fact of the restored copy differs from the manifest that was taken in the dump's own snapshot.":
    "Восстановленная копия в чём-то отличается от манифеста, снятого в том же снимке, что и дамп.",
    "The copy was made from an existing backup: how old that is, and whether production looks like it, was not measured.":
    "Копия сделана из готовой резервной копии: насколько та стара и похож ли на неё продакшен, не измерялось.",
    "The copy's surroundings differ from production's, so that times, plans or rights may differ too.":
    "Окружение копии отличается от продакшена, поэтому время, планы или права тоже могут отличаться.",
    "A connection that the application opened was not the copy. It was stopped before its first statement.":
    "Соединение, которое открыло приложение, вело не в копию. Его остановили до первой команды.",
    "Production stands on a revision that is not in the application's version directory.":
    "Продакшен стоит на ревизии, которой нет в каталоге версий приложения.",
    "«alembic upgrade head» cannot choose between them.":
    "«alembic upgrade head» не может выбрать между ними.",
    "Production already stands on the revision that the application ends in.":
    "Продакшен уже на ревизии, которой заканчивается приложение.",
    "The application's Python, its env.py or its settings ended with an error before any revision ran.":
    "Python приложения, его env.py или настройки завершились ошибкой до первой ревизии.",
    "A pending revision ended with an error on production's own data.":
    "Одна из ревизий к применению завершилась ошибкой на данных самого продакшена.",
    "A revision's downgrade ended with an error.":
    "Downgrade одной из ревизий завершился ошибкой.",
    "After the way back, the same revisions do not apply a second time.":
    "После отката те же ревизии не применяются второй раз.",
    "After the migration the copy stands on another revision than the one that was expected.":
    "После миграции копия стоит не на той ревизии, которая ожидалась.",
    "The expectations file says that something must be true, and it was measured not to be.":
    "Файл ожиданий говорит, что что-то должно быть так, а измерено, что это не так.",
    "The upgrade added or removed rows that the expectations do not declare.":
    "Обновление добавило или удалило строки, которые не объявлены в ожиданиях.",
    "With rehearsal_data_proof: counts only rows and non-null "
    "values are counted. What the upgrade did to the values "
    "themselves is not known.":
    "При rehearsal_data_proof: counts считаются только строки и "
    "значения не NULL. Что обновление сделало с самими значениями, "
    "неизвестно.",
    "The expectations file has the downgrade end elsewhere than at "
    "production's revision, so neither schema nor data could be "
    "held against what they were before the upgrade.":
    "По файлу ожиданий откат заканчивается не на ревизии "
    "продакшена, поэтому ни схему, ни данные нельзя сравнить с тем,"
    " что было до обновления.",
    "A column that existed before holds other values after the upgrade, and no declared change explains them.":
    "В столбце, который был и раньше, после обновления другие значения, и никакое объявленное изменение этого не объясняет.",
    "The upgrade drops a table or a column that holds values, and the expectations do not declare it.":
    "Обновление удаляет таблицу или столбец со значениями, а в ожиданиях это не объявлено.",
    "The values before and after could not be compared, so nothing is known of them.":
    "Значения до и после сравнить не удалось, поэтому о них ничего не известно.",
    "A foreign key has rows whose referenced row does not exist.":
    "У внешнего ключа есть строки, для которых нет строки, на которую они ссылаются.",
    "Rows were written with keys of their own, and the sequence that gives the next keys was not moved on: the next INSERT fails, or repeats a "
    "number. Or a sequence that belongs to no column was set back.":
    "Строки записаны с собственными ключами, а последовательность, дающая следующие ключи, не сдвинута: следующий INSERT не пройдёт или "
    "повторит номер. Или последовательность, не связанная со столбцом, возвращена назад.",
    "An integer key or a sequence has used half of its range or more. At its end every INSERT fails.":
    "Целочисленный ключ или последовательность израсходовали половину диапазона или больше. В его конце не пройдёт ни один INSERT.",
    "After the downgrade the schema differs from the one before the upgrade.":
    "После отката схема отличается от той, что была до обновления.",
    "The downgrades ran without an error, and the schema is exactly what the upgrade had made of it.":
    "Откат прошёл без ошибки, а схема осталась ровно такой, какой её сделало обновление.",
    "After the downgrade, values that existed before the upgrade are not what they were.":
    "После отката значения, которые были до обновления, уже не те.",
    "The schema after the second upgrade differs from the one after the first.":
    "Схема после второго обновления отличается от схемы после первого.",
    "A lock kept every SELECT on a table waiting for longer than the policy allows at a stretch, from the statement that took it to the end of "
    "its transaction. Measured on the copy, without other sessions; in production the time that the lock is waited for comes on top.":
    "Блокировка заставляла каждый SELECT из таблицы ждать подряд дольше, чем разрешает политика: от команды, которая её взяла, до конца "
    "транзакции. Измерено на копии, без других сеансов; на продакшене добавится время ожидания самой блокировки.",
    "A lock kept every INSERT, UPDATE and DELETE on a table waiting for longer than the policy allows at a stretch. Where the same lock blocks "
    "reads as long, the finding about reads says both.":
    "Блокировка заставляла каждые INSERT, UPDATE и DELETE в таблице ждать подряд дольше, чем разрешает политика. Где та же блокировка столько "
    "же держит чтение, замечание о чтении говорит и о том, и о другом.",
    "A statement wrote the whole of a table into a new file: under an exclusive lock, with room for a second copy on disk, and all of it as "
    "WAL for the replicas. TRUNCATE, REINDEX and REFRESH are not counted.":
    "Команда переписала таблицу целиком в новый файл: под исключительной блокировкой, с местом на диске под вторую копию и со всем этим в WAL "
    "для реплик. TRUNCATE, REINDEX и REFRESH не считаются.",
    "A statement other than INSERT, UPDATE, DELETE and SELECT read every row of a table while its transaction held a lock that blocks reads or "
    "writes: SET NOT NULL, a CHECK or foreign key that is validated at once, a new UNIQUE or PRIMARY KEY.":
    "Команда (не INSERT, UPDATE, DELETE и SELECT) прочитала все строки таблицы, пока её транзакция держала блокировку, мешающую чтению или "
    "записи: SET NOT NULL, CHECK или внешний ключ с немедленной проверкой, новый UNIQUE или PRIMARY KEY.",
    "CREATE INDEX without CONCURRENTLY blocked every write on a large table for longer than the policy allows.":
    "CREATE INDEX без CONCURRENTLY держал всю запись в большую таблицу дольше, чем разрешает политика.",
    "A statement that needs a strong lock on a large table runs without lock_timeout. While it waits behind one long query, everything else "
    "that wants the table waits behind it.":
    "Команда, которой нужна сильная блокировка большой таблицы, идёт без lock_timeout. Пока она ждёт за одним долгим запросом, за ней ждёт всё "
    "остальное, чему нужна эта таблица.",
    "All revisions run in one transaction, so that what the first one locks stays locked until the last one is done. The figure for "
    "transaction_per_migration is computed from the same timeline.":
    "Все ревизии идут в одной транзакции, поэтому то, что заблокировала первая, остаётся заблокированным до конца последней. Цифра для "
    "transaction_per_migration рассчитана по той же хронологии.",
    "The linter squawk, where the controller has it, warns of a statement that the upgrade executed, and the timeline shows that it is true "
    "and that it matters: the table is not small, or the lock was held for longer than its budget. What was refuted, what was confirmed of a "
    "small table, and what a rehearsal cannot measure stands in the record and the report only.":
    "Линтер squawk, если он есть на контроллере, предупреждает о команде, которую выполнило обновление, и хронология показывает, что это так и "
    "что это важно: таблица не маленькая, или блокировка держалась дольше допустимого. Опровергнутое, подтверждённое на маленькой таблице и "
    "то, чего репетиция измерить не может, есть только в записи и отчёте.",
    "The linter could not be run, or its answer could not be read. Where it is not installed there is no finding: the record says so.":
    "Линтер не удалось запустить, или его ответ не читается. Где он не установлен, замечания нет: об этом говорит запись.",
    "Locks, rewrites or scans appeared between two statements that were seen: a function, a driver's own cursor or another way round "
    "SQLAlchemy.":
    "Между двумя увиденными командами появились блокировки, перезаписи или чтения: функция, собственный курсор драйвера или другой путь в "
    "обход SQLAlchemy.",
    "The agent could not go on measuring. The migrations ran; what they lock and rewrite from there on is not known.":
    "Агент не смог измерять дальше. Миграции выполнены; что они блокируют и переписывают после этого места, неизвестно.",
    "The fence checks every connection that is opened in the application's own process. What these ways reach is not seen.":
    "Ограждение проверяет каждое соединение, которое открывается в процессе самого приложения. Куда ведут эти пути, не видно.",
    "A program that is started is a process of its own, which the fence does not reach. Where the application starts one outside its revisions "
    "(many libraries ask ldconfig or git), it is info.":
    "Запущенная программа — отдельный процесс, которого ограждение не достаёт. Где приложение запускает её вне ревизий (многие библиотеки "
    "обращаются к ldconfig или git), это для сведения.",
    "An entry under «accepted» names a finding that this rehearsal does not have.":
    "Запись в «accepted» называет замечание, которого в этой репетиции нет.",
    "A foreign key sets a column to NULL that must not be NULL: deleting the referenced row will fail.":
    "Внешний ключ ставит NULL в столбец, где NULL быть не может: удаление строки, на которую он ссылается, не пройдёт.",
    "The column has another type than the one that it refers to.":
    "Тип столбца не такой, как у столбца, на который он ссылается.",
    "An index is not valid: it costs writes and serves no query.":
    "Индекс недействителен: он замедляет запись и не служит ни одному запросу.",
    "Existing rows were not checked against it.":
    "Существующие строки по нему не проверены.",
    "After the way back and a second upgrade, values differ from those after the first.":
    "После отката и второго обновления значения отличаются от тех, что были после первого.",
    "Deleting or changing a referenced row scans the whole table. Info where that table is small (the policy's small_table_rows and "
    "small_table_mb).":
    "Удаление или изменение строки, на которую ссылаются, читает всю таблицу. Сведение, если эта таблица мала (small_table_rows и "
    "small_table_mb в политике).",
    "Two indexes cover the same columns in the same way.":
    "Два индекса покрывают одни и те же столбцы одинаково.",
    "Another index begins with the same columns.":
    "Другой индекс начинается с тех же столбцов.",
    "The application's migrations, run from nothing up to production's revision, make another schema than production has. Where the upgrade "
    "touches what differs it is told one by one; all other differences are info. Grants, owners and settings are not compared.":
    "Миграции приложения, выполненные с нуля до ревизии продакшена, дают другую схему, чем у продакшена. Где обновление затрагивает различие, "
    "оно названо отдельно; все остальные — для сведения. Права, владельцы и настройки не сравниваются.",
    "Not every history can be run from an empty database: old revisions may need what was there before Alembic, or ran too long. The "
    "migrations were rehearsed on production's own schema all the same.":
    "Не всякую историю можно выполнить с пустой базы: старым ревизиям может быть нужно то, что было до Alembic, или они шли слишком долго. "
    "Миграции всё равно отрепетированы на схеме самого продакшена.",
    "After the upgrade, Alembic's autogenerate (what «alembic check» runs) finds differences between the application's models and the copy. "
    "What only the copy has is info. The message names what autogenerate does not see.":
    "После обновления автогенерация Alembic (её запускает «alembic check») находит различия между моделями приложения и копией. Что есть "
    "только в копии — для сведения. Сообщение называет то, чего автогенерация не видит.",
    "The application's env.py names no models, the copy does not stand at the project's head, or autogenerate ended with an error.":
    "env.py приложения не называет моделей, копия не на последней ревизии проекта, или автогенерация завершилась ошибкой.",
    "One revision at a time, an upgrade or a downgrade ended with an error. The revisions after it were not tried.":
    "По одной ревизии обновление или откат завершились ошибкой. Следующие ревизии не пробовали.",
    "The revision was applied and taken back by itself, and the schema was not what it had been. What the whole way back leaves is another "
    "finding.":
    "Ревизию применили и откатили саму по себе, и схема стала не той, что была. Что оставляет откат в целом — другое замечание.",
    "The revision was applied and taken back by itself, and existing values were not what they had been.":
    "Ревизию применили и откатили саму по себе, и существующие значения стали не теми, что были.",
    "Applied again after it was taken back, the revision made another schema; or one at a time the revisions end in another schema than all at "
    "once. Other data is info.":
    "Применённая второй раз после отката ревизия дала другую схему, или по одной ревизии приводят к другой схеме, чем все сразу. Другие данные "
    "— для сведения.",
    "Its meaning depends on who reads it.":
    "Что он значит, зависит от того, кто его читает.",
    "json cannot be indexed or compared.":
    "json нельзя индексировать и сравнивать.",
    "A 32-bit key ends at 2,147,483,647.":
    "Предел 32-битного ключа — 2 147 483 647.",
    "Triggers, event triggers, subscriptions, foreign servers or scheduled jobs are on the copy and may run during migrations. What is known "
    "to reach out is disabled before anything is migrated: triggers and event triggers whose function sends something (other than NOTIFY, "
    "which only listeners of the copy would hear), subscriptions, the jobs of pgAgent and pg_timetable; the user mappings of foreign servers are "
    "dropped. pg_cron stays out of the copy altogether. A warning where something could not be disabled.":
    "На копии есть триггеры, событийные триггеры, подписки, внешние серверы или задания по расписанию, которые могут сработать во время "
    "миграций. То, о чём известно, что оно обращается вовне, отключается до миграций: триггеры и событийные триггеры, чья функция что-то "
    "отправляет (кроме NOTIFY: его услышали бы только те, кто слушает копию), подписки, задания pgAgent и pg_timetable; сопоставления "
    "пользователей внешних серверов удаляются. pg_cron в копию не попадает вовсе. Предупреждение — там, где что-то отключить не удалось.",
    "The triggers that keep a foreign key (or a deferrable constraint) are disabled, as DISABLE TRIGGER ALL leaves them: it stands in "
    "the catalog and refuses nothing.":
    "Триггеры, которые держат внешний ключ (или откладываемое ограничение), отключены, как после DISABLE TRIGGER ALL: оно стоит в "
    "каталоге и ничего не запрещает.",
}
