# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of the copy's own server: fast while it is filled, as production's while migrations are measured."""

from __future__ import annotations

from typing import Dict, List, Mapping, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils import server_settings
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import PostgresError, Session
from ansible_collections.migrations.rehearsal.plugins.module_utils.setting_text import setting_clause

# Settling: a physical copy is made ready, with nothing of production's that could act on the world.
RESTORING, SETTLING, MEASURING = "restoring", "settling", "measuring"
_MIB = 1 << 20
# What production has of these is never taken over: they reach out, or show rows in the log.
ALWAYS = {
    "unix_socket_permissions": "0700",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "lc_messages": "C",
    "ssl": "off",
    "archive_mode": "off",
    "max_wal_senders": "0",
    "synchronous_standby_names": "",
    # Without a launcher no subscription of a physical copy comes to life.
    "max_logical_replication_workers": "0",
    "dynamic_shared_memory_type": "posix",
}
_SETTLING_VALUES = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "jit": "off", "max_worker_processes": "8"}
_MEASURING_VALUES = {"fsync": "on", "full_page_writes": "on"}
# Sizes of production's machine that dev may not have.
OF_THE_MACHINE = frozenset(
    [
        "shared_buffers",
        "max_connections",
        "max_worker_processes",
        "max_locks_per_transaction",
        "max_pred_locks_per_transaction",
        "max_stack_depth",
        "wal_level",
    ]
)
# In blocks of 8 kB and in kB.
_LARGE = {"shared_buffers": 8192, "maintenance_work_mem": 1024}


def _restoring() -> Dict[str, str]:
    """Nothing is lost by losing it: no WAL, no flushing, memory for index builds."""
    available = _memory_available()
    return {
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "wal_level": "minimal",
        "autovacuum": "off",
        # For keys that are checked once, compiling is most of the work.
        "jit": "off",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "1h",
        # Rows and indexes are written past it, and the kernel has them: with more of it restoring took 6 % longer.
        "shared_buffers": f"{min(max(available // 8 // _MIB, 32), 128)}MB",
        "maintenance_work_mem": f"{min(max(available // 16 // _MIB, 64), 512)}MB",
    }


def _memory_available() -> int:
    """Bytes, by the kernel's estimate; a small machine where it does not say."""
    try:
        with open("/proc/meminfo", encoding="utf-8") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return 512 * _MIB


def _affordable(name: str, value: str) -> Tuple[str, str]:
    """A value that dev has memory for, and in words what that changed."""
    unit = _LARGE.get(name)
    if unit is None or not value.isdigit():
        return value, ""
    most = _memory_available() // 4 // unit
    if int(value) <= most:
        return value, ""
    return str(most), f"{name}: production has {int(value) * unit // _MIB} MiB, dev can give {most * unit // _MIB} MiB"


def _set(session: Session, name: str, value: str) -> List[str]:
    try:
        session.execute(f"ALTER SYSTEM SET {setting_clause(name, value)}")
    except PostgresError as error:
        return [f"{name}: {error.message}"]
    return []


def conf_literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def values(phase: str) -> Dict[str, str]:
    """What the configuration says in a phase, whatever production has."""
    if phase == RESTORING:
        return {**ALWAYS, **_restoring()}
    return {**ALWAYS, **(_SETTLING_VALUES if phase == SETTLING else _MEASURING_VALUES)}


def set_time_zone(session: Session, production: Mapping[str, str]) -> None:
    """Production's time zone at once: the copy is held against the manifest before the other settings take effect. `replay` says where it fails."""
    if "TimeZone" in production:
        _set(session, "TimeZone", production["TimeZone"])
        session.execute("SELECT pg_catalog.pg_reload_conf()")


def replay(session: Session, production: Mapping[str, str], above: Mapping[str, str]) -> List[str]:
    """Give the running server production's settings, and those above them, from its next start on; what could not be set, in words."""
    failures: List[str] = []
    for name, value in production.items():
        if name in server_settings.REPLAYED:
            wanted, why = _affordable(name, value)
            failures += [why] if why else []
            failures += _set(session, name, wanted)
    for name, value in above.items():
        failures += _set(session, name, value)
    return failures
