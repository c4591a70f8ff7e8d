# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what Ansible has sent to dev in the rehearsal's work directory, so that later stages need neither send, unpack nor compile it again.

Python keeps what it has compiled beside a source file, but not in the zip file in which a module comes.
"""

from __future__ import annotations

import os
import shutil
import zipfile

from ansible_collections.migrations.rehearsal.plugins.module_utils import files
from ansible_collections.migrations.rehearsal.plugins.module_utils.process import registered
from ansible_collections.migrations.rehearsal.plugins.module_utils.work_directory import WorkDirectory

DIRECTORY = "code"
# The zip file also has what leads Python to that very file.
_PACKAGES = ("ansible/", "ansible_collections/")


def keep(archive: str, work: WorkDirectory) -> None:
    """Unpack the module's zip file, once in a rehearsal. Where that cannot be done, later stages are sent as the first was."""
    kept = work.file(DIRECTORY)
    if work.marker() is None or os.path.lexists(kept) or not os.path.isfile(archive):
        return
    partial = f"{kept}.partial"
    try:
        # Clean-up ends whoever is registered before it removes the directory: nothing is made there behind its back.
        with registered(work):
            try:
                os.mkdir(partial, files.PRIVATE_DIRECTORY)
                _unpack(archive, partial)
                os.rename(partial, kept)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
    except (OSError, zipfile.BadZipFile):
        pass


def _unpack(archive: str, directory: str) -> None:
    """As private as all in the work directory. What Python makes of a file has that file's mode, but a directory of its own only the umask's."""
    with zipfile.ZipFile(archive) as packed:
        names = [name for name in packed.namelist() if name.startswith(_PACKAGES) and name.endswith(".py")]
        for folder in sorted({"/".join(parts[:depth]) for parts in (name.split("/") for name in names) for depth in range(1, len(parts))}):
            for made in (folder, f"{folder}/__pycache__"):
                os.mkdir(os.path.join(directory, made), files.PRIVATE_DIRECTORY)
        for name in names:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(os.path.join(directory, name), flags, files.PRIVATE_FILE), "wb") as file:
                file.write(packed.read(name))
