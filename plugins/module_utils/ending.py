# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for a process and know at once that it has ended: `Popen.wait` with a timeout looks at growing intervals, in the end 20 times a second."""

from __future__ import annotations

import os
import select
import subprocess
from typing import Any

# What the kernel takes as a time to wait.
_LONGEST_MS = 2**31 - 1


def wait(process: subprocess.Popen[Any], timeout_s: float) -> int:
    """`Popen.wait(timeout_s)`: its exit code, or subprocess.TimeoutExpired."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        # Before Python 3.9 or Linux 5.3, or it has been waited for already.
        return process.wait(timeout_s)
    try:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        ended.poll(min(max(timeout_s, 0.0) * 1000, _LONGEST_MS))
    finally:
        os.close(descriptor)
    return process.wait(0)
