# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Russian of what the judge says: messages and checklist. English template → Russian template."""

from __future__ import annotations

from typing import Dict

TEXTS: Dict[str, str] = {
    "{item}: measured {measured}, expected {expected}": "{item}: измерено «{measured}», ожидалось «{expected}»",
    "{object}: {what} is {copy} on the copy, {production} on production": "{object}: {what} — {copy} на копии, {production} на продакшене",
    "the upgrade ended at {ended}; it was to go to {target}": "обновление закончилось на {ended}, а должно было дойти до {target}",
    "the upgrade ended at {ended}; the project's head is {heads:list}": "обновление закончилось на {ended}; последняя ревизия проекта: {heads:list}",
    "it was so before the upgrade: {objects:list 8}": "так было и до обновления: {objects:list 8}",
    "it was not carried out": "она не выполнялась",
    "the policy accepts {code} of {object} until {until}; there is no such finding": "политика принимает {code} ({object}) до {until}; такого "
    "замечания нет",
    "{count} more like these; all are in the evidence": "ещё {count} таких же; все есть в свидетельствах",
    "a setting of production could not be given to the copy: {failure:heard}": "настройку продакшена не удалось перенести на копию: {failure:heard}",
    "{what} stays out of the copy, with all that is in its schema {schema}: a migration that uses it fails here for that reason alone": "{what} не "
    "переносится на копию вместе со всем, что в схеме {schema}: миграция, которая этим пользуется, не пройдёт здесь только по этой причине",
    "squawk did not look at the upgrade's SQL: {reason:heard}": "squawk не проверил SQL обновления: {reason:heard}",
    "no revision": "нет ревизии",
    "{change}, since the template was kept": "{change}, с тех пор как был сохранён шаблон",
    "{table}: {rows:count row|rows}, and {before:number} when the template was kept": "{table}: строк "
    "{rows:number}, а когда сохранялся шаблон, было {before:number}",
    "{tables:count table|tables}, {rows:count row|rows}; production as of {taken_at}, from the template of rehearsal {id}": "таблиц: "
    "{tables}, строк: {rows:number}; продакшен на {taken_at}, из шаблона репетиции {id}",
    "«{what}» of the kept template": "«{what}» сохранённого шаблона",
    "kept until {expires}: {things:list}": "хранится до {expires}: {things:list}",
    "production already stands at {heads}": "продакшен уже на {heads}",
    "{count:count revision was|revisions were} taken back, and of {changes} changes of the schema none was undone: {texts:list 1}": "откат выполнен "
    "({count:count ревизия|ревизии|ревизий}), но из изменений схемы ({changes}) не отменено ни одно: {texts:list 1}",
    "the evidence lacks {name}, and with it what it said": "в свидетельствах нет {name}, а значит, и того, что там было",
    "{stage} on {host}: {error:heard}": "{stage} на {host}: {error:heard}",
    "disabled on the copy before anything was migrated: {what}": "отключено на копии до миграций: {what}",
    "{message}; a migration that reaches through it fails here for that reason alone": "{message}; миграция, которая обращается через него, упадёт "
    "здесь только поэтому",
    "index {index} is invalid on production, and a dump leaves such an index out: a migration that drops it fails on the copy, and one that "
    "makes it IF NOT EXISTS makes it, for that reason alone": "индекс {index} в рабочей базе недействителен, а в дамп такие не попадают: миграция, "
    "которая его удаляет, упадёт на копии, а та, что создаёт его с IF NOT EXISTS, создаст — только поэтому",
    "{message}; what else it does is not rehearsed": "{message}; остальное, что он делает, не репетируется",
    "rehearsal_source is auto, and a dump was taken, not a physical copy: {reasons:heard}": "rehearsal_source: auto, и снят дамп, а не физическая "
    "копия: {reasons:heard}",
    "another database of production could not be dropped from the copy's own server: {left:heard}": "другую базу продакшена не удалось удалить с "
    "собственного сервера копии: {left:heard}",
    "could not be disabled on the copy: {what}: {error:heard}": "не удалось отключить на копии: {what}: {error:heard}",
    "clean-up on {side} is not proven: {error:heard}": "уборка не доказана ({side}): {error:heard}",
    "still there on {side} after clean-up: {thing:heard}": "после уборки осталось ({side}): {thing:heard}",
    "the evidence lacks {name}": "в свидетельствах нет {name}",
    "the whole": "всё",
    "the stages": "этапов",
    "the manifest": "манифеста",
    "the copy": "копии",
    "the application's heads": "последних ревизий приложения",
    "snapshot «{moment}»": "снимка схемы «{moment}»",
    "fingerprint «{moment}»": "отпечатка данных «{moment}»",
    "the end of migration «{run}»": "конца миграции «{run}»",
    "the checks after the upgrade": "проверок после обновления",
    "the evidence of «{name}», which was asked for,": "запрошенного: «{name}»",
    "{message}; left out of the proof against production: {changed:list}": "{message}; в сверке с продакшеном не участвует: {changed:list}",
    "{item}: not measured": "{item}: не измерено",
    "{change}; in how many rows exactly could not be measured: {why:heard}": "{change}; в скольких именно строках, измерить не удалось: {why:heard}",
    "the downgrade went to {revision}, as asked for: what it leaves"
    " and loses on the way to production's revision was not "
    "compared": "откат дошёл до {revision}, как указано: что он оставляет и теряет на пути к ревизии продакшена, не сравнивалось",
    "rows and non-null values were counted; no value was compared": "строки и значения не NULL посчитаны; ни одно значение не сравнивалось",
    "{added} rows added, {removed} removed": "добавлено строк: {added}, удалено: {removed}",
    "{change} (dropped as declared: the way back cannot bring it back)": "{change} (удалено, как объявлено: откат этого не вернёт)",
    "any": "любое число",
    "{table}: only the rows that the upgrade itself adds differ (their keys come from a sequence?)": "{table}: различаются только строки, которые "
    "добавляет само обновление (ключи из последовательности?)",
    "{change}, as declared{reason}": "{change}, как объявлено{reason}",
    "{change}; declared as changed, so its new values were not proved{reason}": "{change}; объявлено изменённым, поэтому новые значения не "
    "проверялись{reason}",
    "{change}; declared: {what}; how many were added and how many lost is not known": "{change}; объявлено: {what}; сколько строк добавлено и "
    "сколько пропало, неизвестно",
    "{name}: no row was added or lost; declared: {what}": "{name}: строк не добавлено и не пропало; объявлено: {what}",
    "{change}; declared: {what}": "{change}; объявлено: {what}",
    "it was so before the upgrade: {message}": "так было и до обновления: {message}",
    "the next value of {sequence} is {next_value:number}, {column} has come to {reached:number} already": "следующее значение {sequence} — "
    "{next_value:number}, а {column} уже дошёл до {reached:number}",
    "{index} cannot become valid: {rows:count row|rows} of {table} {rows:plural repeats|repeat} others in ({columns:list})": "{index} не может "
    "стать действительным: строк "
    "{table}, повторяющих другие по ({columns:list}): {rows:number}",
    "{rows:count row|rows} of {table} {rows:plural has|have} no parent behind foreign key {constraint}": "строк {table} без родителя по внешнему "
    "ключу {constraint}: "
    "{rows:number}",
    "column {object} has come to {reached:number} of {limit:number} ({share:share})": "столбец {object} дошёл до {reached:number} из {limit:number} "
    "({share:share})",
    "sequence {object} has come to {reached:number} of {limit:number} ({share:share})": "последовательность {object} дошла до {reached:number} из "
    "{limit:number} ({share:share})",
    "reads": "чтение",
    "writes": "запись",
    "reads and writes": "чтение и запись",
    "all {count} revisions run in one transaction, so every lock is held until its end: {what} of {table} were blocked for {ms:duration}; "
    "with transaction_per_migration it would be {other:duration} (computed)": "все ревизии ({count}) идут в одной транзакции, поэтому каждая "
    "блокировка держится до её конца: {what} {table} — {ms:duration}; с transaction_per_migration было бы {other:duration} (расчёт)",
    "the way back {blocked}": "откат: {blocked}",
    "blocked {what} on {table} for {ms:duration}, budget {allowed:duration}": "заблокировано: {what} {table}, {ms:duration} при допустимых "
    "{allowed:duration}",
    "revision {revision}": "ревизия {revision}",
    "what runs outside the revisions": "то, что выполняется вне ревизий,",
    "{message}, and {more} more {more:plural table|tables} would gain as much": "{message}; столько же выиграли бы ещё {more} "
    "{more:plural таблица|таблицы|таблиц}",
    " in {ms:duration}": " за {ms:duration}",
    "something between two statements": "нечто между двумя командами",
    "{count:count statement takes a lock|statements take locks} on {tables:list 8} without a lock_timeout: while it waits for its turn, all traffic "
    "waits behind it": "{count:count команда берёт|команды берут|команд берут} блокировки на {tables:list 8} без lock_timeout: пока она ждёт своей "
    "очереди, за ней ждут все запросы",
    "{whose} ran {count:count statement|statements} over a connection that could not be asked what it did: no lock and no rewrite of "
    "{count:plural it|them} is known; the first is «{sql}»": "{whose}: {count:count команда выполнена|команды выполнены|команд выполнено} по "
    "соединению, у которого нельзя было спросить, что сделано: их блокировки и перезаписи неизвестны; первая — «{sql}»",
    "{whose} did something that no statement accounts for (on {named}): its times are too short or unknown": "{whose}: сделано нечто, чего не "
    "объясняет ни одна команда ({named}): время занижено или неизвестно",
    "size not known": "размер неизвестен",
    "revision {revisions:list} started {program}: where it connects was not seen": "запущена программа {program} (ревизии: {revisions:list}): куда "
    "она подключается, не видно",
    "the application started {program} outside the revisions; where it connects was not seen": "приложение запустило {program} вне ревизий; куда "
    "оно подключается, не видно",
    "after the way back: {message}": "после отката: {message}",
    "the checks after the way back": "проверок после отката",
    ": taken by {whose} with «{sql}»": ": взяла {whose} командой «{sql}»",
    ", then kept while {whose} ran «{sql}» for {ms:duration}": ", затем держалась, пока {whose} выполняла «{sql}» ({ms:duration})",
    "{rows:count row|rows} of {table} {rows:plural was|were} read{in_time} under {mode}Lock by {whose}: {ran}": "под {mode}Lock прочитано строк "
    "{table}: "
    "{rows:number}{in_time}; {whose}: {ran}",
    "no table that was there before": "ни одной прежней таблицы",
    "from {whose} on, locks and rewrites were not measured: {kind}: {message}": "дальше блокировки и перезаписи не измерялись ({whose}): {kind}: "
    "{message}",
    "{rows:count row|rows}": "строк: {rows:number}",
    "the fence does not reach: {ways:semicolons}": "ограждение не закрывает: {ways:semicolons}",
    "{whose} wrote the whole of {table} anew ({size}){in_time}{written}; reason: {reason}: {ran}": "{whose}: {table} переписана целиком "
    "({size}){in_time}{written}; причина: {reason}: {ran}",
    "{whose} built an index on {table} ({size}) and blocked its writes for {ms:duration}, budget {allowed:duration}: «{sql}»": "{whose}: построен "
    "индекс на {table} ({size}), запись заблокирована {ms:duration} при допустимых {allowed:duration}: «{sql}»",
    "index {index} on {table} was left invalid": "индекс {index} на {table} остался недействительным",
    "{name} was left NOT VALID": "{name} осталось NOT VALID",
    ", {bytes:megabytes} of WAL": ", WAL: {bytes:megabytes}",
    "downgrade takes {ms:duration} and loses {lost}, and whatever is in {where} by then ({now})": "откат занимает {ms:duration} и теряет: {lost}, "
    "а также всё, что к тому времени будет в {where} ({now})",
    "downgrade takes {ms:duration} and loses nothing that was there before": "откат занимает {ms:duration} и не теряет ничего из прежнего",
    "downgrade takes {ms:duration} and loses nothing that was there before, only what is in {where} by then ({now})": "откат занимает {ms:duration} "
    "и не теряет ничего из прежнего, только то, что к тому времени будет в {where} ({now})",
    "restore takes {ms:duration} (as measured on dev) and loses what was written since the backup": "восстановление занимает {ms:duration} (измерено "
    "на dev) и теряет записанное после резервной копии",
    "{named:list} and {more} more": "{named:list} и ещё {more}",
    "downgrade takes {ms:duration} (to {revision}, as asked for; what it loses was not compared)": "откат занимает {ms:duration} (до {revision}, как "
    "задано; что теряется, не сравнивалось)",
    "downgrade takes {ms:duration} and loses {lost}": "откат занимает {ms:duration} и теряет: {lost}",
    "the {count} tables and columns that it drops": "таблицах и столбцах, которые он удаляет ({count})",
    "now {named}": "сейчас: {named}",
    "nothing now": "сейчас пусто",
    "the restore was not measured": "восстановление не измерялось",
    "the downgrade fails": "откат не проходит",
    "the downgrade was not measured": "откат не измерялся",
    "what was not compared": "что именно, не сравнивалось",
    "at most {count:count value|values} in {object}": "не более {count:count значения|значений|значений} в {object}",
    "{count:count row|rows} of {object}": "{count:count строка|строки|строк} {object}",
    "{count:count value|values} in {object}": "{count:count значение|значения|значений} в {object}",
    "{rows:count row|rows} of {tables:count table|tables} compared": "сравнено строк: {rows:number}, таблиц: {tables}",
    "{rows:count row|rows} of {tables:count table|tables} compared (counted only: values were not compared)": "сравнено строк: {rows:number}, "
    "таблиц: {tables} "
    "(только посчитаны: значения не сравнивались)",
    "{rows:count row|rows} of {tables:count table|tables} compared ({untouched} of them proved untouched, without hashing them "
    "again)": "сравнено строк: {rows:number}, таблиц: {tables} (из них доказано нетронутых без повторного чтения: {untouched})",
    "{rows:count row|rows} of {tables:count table|tables} compared ({untouched} of them proved untouched, without hashing them "
    "again: {counted} by the server's counters, {others} by row versions)": "сравнено строк: {rows:number}, таблиц: {tables} (из них доказано "
    "нетронутых без повторного чтения: {untouched}; по счётчикам сервера: {counted}, по версиям строк: {others})",
    "backup made and copy equal to production": "резервная копия создана и совпадает с продакшеном",
    "migrations applied without errors": "миграции применены без ошибок",
    "all tables and fields made": "все таблицы и поля созданы",
    "indexes and foreign keys work": "индексы и внешние ключи работают",
    "existing data undamaged": "существующие данные не повреждены",
    "downgrade works": "откат работает",
    "test database removed, nothing left behind": "тестовая база удалена, ничего не осталось",
    "{tables:count table|tables}, {rows:count row|rows}": "таблиц: {tables}, строк: {rows:number}",
    "{count:count foreign key|foreign keys}, no row without its parent": "внешних ключей: {count}, строк без родителя нет",
    "{count:count revision|revisions} in {ms:duration}": "ревизий: {count}, за {ms:duration}",
    "{count:count revision|revisions} back in {ms:duration}": "откачено ревизий: {count}, за {ms:duration}",
    "{said}; {rows:count row|rows} of {tables:count table|tables} dropped": "{said}; удалено вместе с таблицами: строк {rows:number}, таблиц "
    "{tables:number}",
    "no index begins with ({columns}): every DELETE and key UPDATE on {other} reads the whole of {table}{counted}": "ни один индекс не "
    "начинается с ({columns}): каждый DELETE и UPDATE ключа в {other} читает всю {table}{counted}",
    "{table}: {rows:count row|rows}": "{table}: {rows:count строка|строки|строк}",
    "ON {event} {action}, but NOT NULL ({columns}): {event} on {table} fails as soon as a row refers to it": "ON {event} {action}, но NOT NULL "
    "({columns}): {event} в {table} не пройдёт, как только на строку появится ссылка",
    "{column} is {type}, {other} is {other_type}": "{column} — {type}, {other} — {other_type}",
    "type {type}: what moment a value is depends on who reads it": "тип {type}: какой это момент, зависит от того, кто читает",
    "primary key of type {type}: ends at {end:number}": "первичный ключ типа {type}: предел {end:number}",
    "{kind} is NOT VALID: rows that were there before may break it": "{kind}: NOT VALID, прежние строки могут его нарушать",
    "{kind} is NOT ENFORCED: any row may break it": "{kind}: NOT ENFORCED, любая строка может его нарушать",
    "constraint of domain {domain} is NOT VALID: values that were there before may break it": "ограничение домена {domain}: NOT VALID, прежние "
    "значения могут его нарушать",
    "type {type}: no equality, so DISTINCT, GROUP BY and UNION fail; no index": "тип {type}: нет равенства, поэтому DISTINCT, GROUP BY и UNION не "
    "работают; индекса тоже нет",
    "index on {table} is invalid: it is kept up with every write and used by no query": "индекс на {table} недействителен: обновляется при каждой "
    "записи и не нужен ни одному запросу",
    "{columns} on {table} is indexed in the same way by {other}": "{columns} в {table} так же индексирует {other}",
    "{columns} on {table} is the beginning of {other} {others}": "{columns} в {table} — начало {other} {others}",
    "the triggers that keep the {kind} are disabled: any row may break it": "{kind}: триггеры отключены, любая строка может нарушать ограничение",
    "an existing backup of {rows:count row|rows}, not held against production": "готовая резервная копия, строк: {rows:number}; с продакшеном не "
    "сверялась",
    "{name} is not there any more by that name, so it was not held against what was declared: {what}": "{name}: под "
    "этим именем его больше нет, с объявленным не сверено: {what}",
}
