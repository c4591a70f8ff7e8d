# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Russian of the table of codes: titles and advice. English → Russian."""

from __future__ import annotations

from typing import Dict

TEXTS: Dict[str, str] = {
    "The rehearsal cannot start": "Репетиция не может начаться",
    "Put it right and run again; nothing has to be cleaned up.": "Исправьте и запустите снова; убирать ничего не нужно.",
    "A stage of the rehearsal failed": "Этап репетиции не удался",
    "See the message; the stages after it were not carried out.": "См. сообщение; следующие этапы не выполнялись.",
    "The rehearsal was interrupted": "Репетиция прервана",
    "Run it again.": "Запустите снова.",
    "Something was not measured": "Что-то не измерено",
    "See which stage failed before it.": "Посмотрите, какой этап до этого не удался.",
    "Something may be left behind": "Что-то могло остаться",
    "Run the sweep playbook when the host can be reached again.": "Запустите плейбук sweep, когда хост снова будет доступен.",
    "The copy is not what production was": "Копия не совпадает с продакшеном",
    "Do not trust a rehearsal on it. Make dev equal (extension versions, collation, settings) and run again.": "Репетиции на ней верить нельзя. "
    "Сделайте dev таким же (версии расширений, сортировка, настройки) и запустите снова.",
    "Dev differs from production": "Dev отличается от продакшена",
    "Give dev what production has, or weigh the verdict accordingly.": "Дайте dev то же, что на продакшене, или учтите это при оценке вердикта.",
    "Alembic went for another database": "Alembic пошёл в другую базу",
    "Make the application take its address from what the inventory declares (rehearsal_application.environment, options or x).": "Пусть приложение "
    "берёт адрес из того, что задано в инвентаре (rehearsal_application.environment, options или x).",
    "The project does not know production's revision": "Проект не знает ревизии продакшена",
    "Rehearse from a checkout that contains the revision that production runs.": "Репетируйте из копии репозитория, в которой есть ревизия "
    "продакшена.",
    "The project has several heads": "У проекта несколько последних ревизий",
    "Merge them with «alembic merge», or set rehearsal_target: to heads for all of them, to label@head for one.": "Объедините их через "
    "«alembic merge» или задайте rehearsal_target: heads — для всех, метка@head — для одной.",
    "Nothing is pending": "Применять нечего",
    "There is nothing to deploy.": "Выкатывать нечего.",
    "The application does not answer": "Приложение не отвечает",
    "Run «alembic current» in the application's own environment and mend what it says.": "Выполните «alembic current» в окружении приложения и "
    "исправьте то, на что оно укажет.",
    "A migration does not apply": "Миграция не применяется",
    "Look for conflicts with existing tables, columns and rows, mend the revision, and rehearse again.": "Ищите конфликты с существующими таблицами, "
    "полями и строками, исправьте ревизию и повторите репетицию.",
    "The way back fails": "Откат не проходит",
    "Mend the downgrade, or plan to restore the backup instead and say so in the policy.": "Исправьте downgrade или запланируйте восстановление из "
    "резервной копии и укажите это в политике.",
    "The second upgrade fails": "Повторное обновление не проходит",
    "The downgrade leaves something behind, or the upgrade depends on something that only existed once.": "Откат что-то оставляет, или обновление "
    "зависит от того, что было только один раз.",
    "The expected revision was not reached": "Ожидаемая ревизия не достигнута",
    "Check the expected revision and the project's heads.": "Проверьте ожидаемую ревизию и последние ревизии проекта.",
    "An expectation is not met": "Ожидание не выполнено",
    "Mend the migration, or the expectation.": "Исправьте миграцию или ожидание.",
    "A table's number of rows changed": "Изменилось число строк таблицы",
    "If it is intended, declare it under «changes»; if not, do not deploy.": "Если так задумано, объявите это в «changes»; если нет — не выкатывать.",
    "Existing values changed unexpectedly": "Существующие значения неожиданно изменились",
    "If it is intended, declare it under «changes»; if not, do not deploy: find the cause, mend the migration, rehearse from zero.": "Если так "
    "задумано, объявите это в «changes»; если нет — не выкатывать: найдите причину, исправьте миграцию, повторите репетицию с нуля.",
    "Data is dropped": "Данные удаляются",
    "If it is intended, declare it under «changes» with «dropped: true».": "Если так задумано, объявите это в «changes»: «dropped: true».",
    "Values could not be compared": "Значения не удалось сравнить",
    "Declare the change with an expression under «changes», so that it can be proved.": "Объявите изменение выражением в «changes», чтобы его можно "
    "было доказать.",
    "Rows stand behind no parent": "Строки без родителя",
    "Clean the rows in the migration before the constraint is relied on.": "Исправьте строки в миграции до того, как полагаться на ограничение.",
    "A sequence is behind its column": "Последовательность отстала от столбца",
    "Call setval() with the column's maximum in the revision that writes the rows.": "Вызовите setval() с максимумом столбца в ревизии, которая "
    "пишет "
    "строки.",
    "A key is near the end of its type": "Ключ близок к пределу своего типа",
    "Make the column and its sequence bigint while the table is still small enough to be rewritten.": "Сделайте столбец и последовательность bigint, "
    "пока таблицу ещё можно переписать.",
    "The way back leaves a trace": "Откат оставляет след",
    "Make the downgrade undo exactly what the upgrade does.": "Пусть downgrade отменяет ровно то, что делает upgrade.",
    "The way back changes nothing": "Откат ничего не меняет",
    "Write the downgrades, or let them raise an error: one that says done and does nothing is found out in the worst night.": "Напишите downgrade "
    "или "
    "пусть он завершается ошибкой: тот, что молча ничего не делает, обнаружится в худшую ночь.",
    "The way back loses data": "Откат теряет данные",
    "Know the price before the night of the deploy: restoring the backup may be the better way back.": "Знайте цену заранее: восстановление из "
    "резервной копии может быть лучшим путём назад.",
    "The second upgrade gives another result": "Повторное обновление даёт другой результат",
    "The migration depends on what was there before; mend it.": "Миграция зависит от того, что было раньше; исправьте её.",
    "Reads are blocked longer than the budget": "Чтение заблокировано дольше допустимого",
    "End the transaction sooner (transaction_per_migration), move long work (backfills, index builds) out of the transaction that holds the lock, or "
    "plan a downtime.": "Завершайте транзакцию раньше (transaction_per_migration), вынесите долгую работу (заполнение, индексы) из транзакции с "
    "блокировкой или запланируйте простой.",
    "Writes are blocked longer than the budget": "Запись заблокирована дольше допустимого",
    "End the transaction sooner (transaction_per_migration), build indexes CONCURRENTLY, add foreign keys NOT VALID and validate them later, or "
    "plan a "
    "downtime.": "Завершайте транзакцию раньше (transaction_per_migration), стройте индексы CONCURRENTLY, добавляйте внешние ключи NOT VALID и "
    "проверяйте позже или запланируйте простой.",
    "A large table is written anew": "Большая таблица переписывается целиком",
    "Add a new column, fill it in batches and switch over; or give the new type where PostgreSQL needs no rewrite (a longer varchar, varchar to "
    "text).": "Добавьте новый столбец, заполните его частями и переключитесь; или выберите тип, при котором PostgreSQL не переписывает таблицу "
    "(varchar длиннее, varchar в text).",
    "A large table is read in full while its traffic waits": "Большая таблица читается целиком, пока запросы ждут",
    "Add the constraint NOT VALID and VALIDATE it in a later transaction (SET NOT NULL then needs no scan); build a unique index CONCURRENTLY and "
    "make "
    "the constraint of it.": "Добавьте ограничение NOT VALID и выполните VALIDATE в другой транзакции (тогда SET NOT NULL обойдётся без чтения); "
    "уникальный индекс стройте CONCURRENTLY и делайте ограничение из него.",
    "An index build blocked writes": "Построение индекса блокировало запись",
    "Use postgresql_concurrently=True within op.get_context().autocommit_block().": "Используйте postgresql_concurrently=True внутри "
    "op.get_context().autocommit_block().",
    "Locks are waited for without an end": "Блокировок ждут без предела",
    "Set lock_timeout (a few seconds) for the migrations, in env.py or for their role, and try again when it strikes.": "Задайте миграциям "
    "lock_timeout "
    "(несколько секунд) в env.py или для их роли и повторяйте, когда он сработает.",
    "One transaction holds every lock to its end": "Одна транзакция держит все блокировки до конца",
    "Set transaction_per_migration=True in context.configure() of env.py; a failure then leaves the revisions before it applied.": "Задайте "
    "transaction_per_migration=True в context.configure() в env.py; при сбое предыдущие ревизии останутся применёнными.",
    "A warning of squawk is confirmed": "Предупреждение squawk подтвердилось",
    "See squawk's page of that rule for the way round it. Findings of the rehearsal's own say the same in figures, and weigh more.": "Обход "
    "описан на "
    "странице этого правила squawk. Собственные замечания репетиции говорят то же в цифрах и весят больше.",
    "squawk was there and gave no answer": "squawk есть, но не ответил",
    "Install squawk-cli 2 or newer on the controller, or set rehearsal_squawk to never.": "Установите на контроллере squawk-cli 2 или новее или "
    "задайте "
    "rehearsal_squawk: never.",
    "Something was done that no statement accounts for": "Сделано то, чего не объясняет ни одна команда",
    "Read the revision; weigh that its times and locks are known only in part.": "Прочтите ревизию; учтите, что её время и блокировки известны лишь "
    "отчасти.",
    "Locks were not measured to the end": "Блокировки измерены не до конца",
    "See the message. Schema and data were proved all the same; weigh the times accordingly.": "См. сообщение. Схема и данные всё равно доказаны; "
    "учтите это при оценке времени.",
    "Ways that the fence does not close": "Пути, которых ограждение не закрывает",
    "Nothing, where the application does not use them.": "Ничего, если приложение ими не пользуется.",
    "A migration started a program": "Миграция запустила программу",
    "Make sure that it cannot reach another database than the copy.": "Убедитесь, что она не может попасть в другую базу, кроме копии.",
    "The policy accepts what was not found": "Политика принимает то, чего не найдено",
    "Take the entry out of the policy, or correct its object.": "Уберите запись из политики или исправьте её объект.",
    "SET NULL on a NOT NULL column": "SET NULL на столбце NOT NULL",
    "Make the column nullable, or choose RESTRICT or CASCADE.": "Разрешите NULL в столбце или выберите RESTRICT или CASCADE.",
    "A foreign key's types differ": "Типы внешнего ключа различаются",
    "Give both the same type.": "Дайте обоим один тип.",
    "An invalid index was left behind": "Остался недействительный индекс",
    "Drop it and build it again.": "Удалите его и постройте заново.",
    "A constraint was left NOT VALID": "Ограничение осталось NOT VALID",
    "Run ALTER TABLE … VALIDATE CONSTRAINT in a later revision.": "Выполните ALTER TABLE … VALIDATE CONSTRAINT в следующей ревизии.",
    "The second upgrade gives other data": "Повторное обновление даёт другие данные",
    "A migration that writes the time or random values does this; anything else depends on what was there before.": "Так бывает, если миграция пишет "
    "время или случайные значения; всё остальное зависит от того, что было раньше.",
    "A constraint is not enforced": "Ограничение не действует",
    "Run ALTER TABLE … ENABLE TRIGGER ALL in the revision that disabled them, on both tables of the foreign key.": "Выполните ALTER TABLE … "
    "ENABLE TRIGGER ALL в той ревизии, которая их отключила, для обеих таблиц внешнего ключа.",
    "A foreign key has no supporting index": "У внешнего ключа нет индекса",
    "Add an index on the referencing columns.": "Добавьте индекс по ссылающимся столбцам.",
    "Two indexes are the same": "Два одинаковых индекса",
    "Drop one of them.": "Удалите один из них.",
    "An index is covered by another": "Индекс покрыт другим",
    "Consider dropping the shorter one.": "Подумайте, не удалить ли более короткий.",
    "A timestamp without time zone": "Время без часового пояса",
    "Use timestamp with time zone.": "Используйте timestamp with time zone.",
    "json instead of jsonb": "json вместо jsonb",
    "Use jsonb.": "Используйте jsonb.",
    "A small primary key": "Маленький первичный ключ",
    "Use bigint for tables that grow.": "Для растущих таблиц используйте bigint.",
    "Something on the copy could act on the outside world": "Что-то на копии могло бы действовать вовне",
    "Disable them before the migrations if they reach other systems.": "Отключите это до миграций, если оно обращается к другим системам.",
    "Production is not what its own revision says": "Продакшен не таков, как говорит его ревизия",
    "Find out who changed production by hand, and write the change as a revision; until then other databases are migrated to "
    "something else.": "Узнайте, кто менял продакшен вручную, и оформите изменение ревизией; до тех пор другие базы мигрируют во что-то иное.",
    "Drift could not be measured": "Расхождение не удалось измерить",
    "Mend the history where that is worth it, or set rehearsal_check_drift to false.": "Исправьте историю там, где это того стоит, или задайте "
    "rehearsal_check_drift: false.",
    "The models are not what the migrations make": "Модели не совпадают с тем, что делают миграции",
    "Write the missing revision, or correct the models; keep tables of others out with include_object in env.py.": "Напишите недостающую ревизию или "
    "исправьте модели; чужие таблицы исключите через include_object в env.py.",
    "Values were counted, not compared": "Значения посчитаны, но не сравнены",
    "Set rehearsal_data_proof to changed (which costs little) or "
    "full, and rehearse again before the deployment.": "Задайте rehearsal_data_proof: changed (это почти ничего не "
    "стоит) или full и отрепетируйте ещё раз до развёртывания.",
    "The whole way back was not compared": "Весь путь назад не сравнивался",
    "Take downgrade_to out of the expectations file, and rehearse "
    "the way back to production's revision.": "Уберите downgrade_to из файла ожиданий и отрепетируйте откат до ревизии продакшена.",
    "The models were not compared": "Модели не сравнивались",
    "Set target_metadata in env.py, or rehearsal_check_models to false.": "Задайте target_metadata в env.py или rehearsal_check_models: false.",
    "A revision does not go up and down by itself": "Ревизия не проходит вверх и вниз сама по себе",
    "Mend that revision: it depends on others having run in the same transaction, or its downgrade on what came after it.": "Исправьте эту "
    "ревизию: она "
    "зависит от других в той же транзакции, или её откат — от того, что было после неё.",
    "A revision's own way back leaves a trace": "Откат ревизии оставляет след",
    "Make its downgrade undo exactly what its upgrade does.": "Пусть её downgrade отменяет ровно то, что делает её upgrade.",
    "A revision's own way back loses data": "Откат ревизии теряет данные",
    "Know which revision costs what before the night of the deploy.": "Знайте заранее, какая ревизия чего стоит.",
    "A revision gives another result the second time, or by itself": "Ревизия даёт другой результат во второй раз или сама по себе",
    "The revision depends on what was there before; mend it.": "Ревизия зависит от того, что было раньше; исправьте её.",
    "Tasks that the inventory adds failed": "Задачи, добавленные в инвентаре, не выполнились",
    "See the task's own message in Ansible's output; it is not repeated in reports, because it may hold what is in the rows.": "Смотрите сообщение "
    "самой задачи в выводе Ansible; в отчётах его нет, потому что в нём могут быть данные из строк.",
    "A smoke test on the migrated copy failed": "Проверка приложения на обновлённой копии не прошла",
    "The copy was not held against production": "Копию не сверяли с продакшеном",
    "A dump was taken where a physical copy was wanted": "Снят дамп, а хотели физическую копию",
    "rehearsal_source is auto, and something stands in the way of a physical copy. A dump shows neither bloat nor the physical order of rows.": ""
    "rehearsal_source: auto, а физической копии что-то мешает. Дамп не показывает ни раздутых таблиц, ни физического порядка строк.",
    "Give what is missing, or set rehearsal_source to dump.": "Дайте недостающее или задайте rehearsal_source: dump.",
    "Rehearse from production itself before the deployment, or take a backup of today.": "Перед выкаткой прорепетируйте с самого продакшена или "
    "возьмите сегодняшнюю резервную копию.",
}
