# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which form production's pg_dump can write what dev's pg_restore can read: the programs are tried, for their versions do not tell.

A dump is made with zstd or lz4 where both programs are built with it (PostgreSQL 16 and newer), which takes half the time of gzip's fastest level.
"""

from __future__ import annotations

import base64
import subprocess
import zlib
from typing import List, Sequence, Tuple

from ansible_collections.migrations.rehearsal.plugins.module_utils.identity import application_name
from ansible_collections.migrations.rehearsal.plugins.module_utils.postgres import READ_ONLY, Server, tool_environment

# What every pg_dump and pg_restore has: one level of gzip, for a file that is hardly larger than with the default's six.
GZIP = "gzip:1"
# In order of preference, with an archive of one row in the format of version 16.
_SAMPLES = {
    "zstd:1": (
        "eNqdlFFvlEAQx7neaRpio48+GLMxTbiLFo+rtmeaPiBse5dwhcBqo9aQhdtSEgoE6Kvfyo9n4s4ULl7tRdNNZmDY2Znf7v6Dd2ovvN5TZbDd6ysvFDmegOuDw1AF90Ppxra0sqib"
        "pBK18lIGxqFuTMjQFlHKc4LR3vj1UkTG/o0x+p+UR1D3607XoSdt3HroRs8s156fna4HW5AKxQPKSJylIm9CkcfFMs0Tcky0T+xkqh2pPaiz0WHrS57VAsP+apff7qWBowiYHTBfEgR3"
        "QyQatkR1w/Mlr5ZhXOSXRXUtqcK6qeSjBroifzjbxWY2avrWzDPZ7G6IbFP85lCLkTIJY97wrEj0WjQImSZDrRa8iq/CkjdX2huiSUOA0YNZv69YB6CDycEEcd+vywgC22TmRzOgt6il"
        "NMunJqOkmyBdOjmfsxlhdOE5MH9MGnFdZrwRY9KpYyUA4riW6dDQ893Pc5v6ciJLo7j9DGmWLhP3QCrKc8DwXe/vlvfvf30Tm47gfKe9qfaiIM842J++w7eyKiKBtyVbOre7xcV/tHkF"
        "h+F6X0h5E2VprOMaMuQjcuK7Cyk1qXmJ/xjKYcY/EbHDxDjEnK3dQScnZH0GMv759pcy+yBJ1QtdVfEfoPwGRCGrdg=="
    ),
    "lz4": (
        "eNqdklFr2zAQx50024pp6WsfxhBl4ISuJk7XNjAK9Wy1CTi1sbWVbR1GdlTX4NrGVl/HPto+WnWKHZquYaMCnf2XTrrf6c67sGdeZ0fpbXa6yltFjC0wG2CkVMH8UtqxKWZZ1DypWK28"
        "E8I40Y0R6tssSmmOpDoY7s9ZZBzeG4P/cXkF937fbiN0xBw2FqLhS8u1p5cXq6ILrnB5gAmKs5TlPGR5XMzTPEGnSPtCzsfaJ7UD96w1MvQNzWom5cYyyx/P0sBTBMQOiC8IgqdSEvUb"
        "oprTfE6reRgX+U1R3QmqsOaV+NRAV+QvZ7tez4ZN35p4Jpk8lZJtLNccbBFUJmFMOc2KRK8Zl5Bp0tdqRqv4Niwpv9U+IE1MCTB4MevPJWsP+mB0PJK4R6ttBMI2ifnZDPACtRTT8rFJ"
        "MGo3UOuOrqZkggieeQ7snyLO7sqMcjZEbXcsGwA5rmU6OPR89+vUxr7YyNIobpbBzdKF4wG0irILGL7r/R3y+fxXk1j3BFfbTaWaQoGfcXw4/ij/yqqImKyWCOksspWHH4XZg8dwvW+o"
        "vI+yNNblGdSnA3TuuzPRaqLnBf5ruE56/BNRRhgZJ9Kn+77XtpNkfQPV2pvtnp39UXYW+rehXuuqqi6TegCIkKtD"
    ),
}
_SINCE = 16


def writes(server: Server, major: int, database: str, rehearsal_id: str, timeout_s: float) -> List[str]:
    """What production's pg_dump, of that major version, can write beside gzip: it dumps the definition of nothing, and only its exit code counts."""
    if major < _SINCE:
        return []
    conninfo = server.conninfo(database, application_name(rehearsal_id), READ_ONLY)
    nothing = ("--format=custom", "--schema-only", "--exclude-schema=*", "--no-password", f"--dbname={conninfo}")
    return [name for name in _SAMPLES if _does(server.tool("pg_dump", f"--compress={name}", *nothing), b"", timeout_s)]


def reads(server: Server, timeout_s: float) -> List[str]:
    """What dev's pg_restore can read beside gzip: it is given an archive of one row to read."""
    argv = server.tool("pg_restore", "--file=/dev/null")
    return [name for name, sample in _SAMPLES.items() if _does(argv, zlib.decompress(base64.b64decode(sample)), timeout_s)]


def choose(written: Sequence[str], read: Sequence[str]) -> str:
    """What a dump is made with, as pg_dump's option --compress says it."""
    return next((name for name in written if name in read), GZIP)


def option(compression: str) -> str:
    """pg_dump's option; before version 16 it knew no other way than gzip, and no names."""
    return f"--compress={'1' if compression == GZIP else compression}"


def reads_format(dump_major: int, restore_major: int) -> bool:
    """Whether pg_restore of one major version knows the archives that pg_dump of another writes."""
    return _format(dump_major) <= _format(restore_major)


def _format(major: int) -> Tuple[int, int]:
    # K_VERS_MAX of pg_backup_archiver.h. What comes after 18 is not known: there every version counts.
    if major > 18:
        return 17, major
    return next(minor for since, minor in ((17, 16), (16, 15), (12, 14), (0, 13)) if major >= since), 0


def _does(argv: List[str], given: bytes, timeout_s: float) -> bool:
    try:
        done = subprocess.run(
            argv, input=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout_s, env=tool_environment(), check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
