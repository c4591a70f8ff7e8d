# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The id of a rehearsal, and the marker that tells its copy from every other database."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import secrets
from typing import Optional

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def utc_now() -> datetime.datetime:
    """Now, in UTC, to the second."""
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def format_time(moment: datetime.datetime) -> str:
    """`2026-11-22T22:30:11Z`."""
    return moment.astimezone(datetime.timezone.utc).strftime(TIME_FORMAT)


def parse_time(text: str) -> datetime.datetime:
    """The reverse of `format_time`; ValueError if it is not of that form."""
    return datetime.datetime.strptime(text, TIME_FORMAT).replace(tzinfo=datetime.timezone.utc)


def new_id(now: Optional[datetime.datetime] = None) -> str:
    """A fresh id that sorts by time: `20261122-223011-9f3a2c`."""
    return f"{(now or utc_now()).strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def started(rehearsal_id: str) -> datetime.datetime:
    """When a rehearsal began, as its id says; ValueError if it is not one."""
    return datetime.datetime.strptime(rehearsal_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=datetime.timezone.utc)


def is_id(text: str) -> bool:
    """Whether a text has the form of a rehearsal id."""
    return _ID.fullmatch(text) is not None


def copy_database_name(rehearsal_id: str) -> str:
    """The default name of a rehearsal's copy: a plain lower-case identifier."""
    return f"rehearsal_{rehearsal_id.replace('-', '_')}"


# Databases beside the copy, each with a name and a marker of its own: the old rows, what the migrations build from nothing, and the unmigrated copy
# that is kept for another go.
OLD_ROWS, FROM_EMPTY, TEMPLATE = "before", "empty", "template"
SIDE_PARTS = (OLD_ROWS, FROM_EMPTY, TEMPLATE)


def side_database_name(rehearsal_id: str, part: str) -> str:
    """The name of a database beside the copy; it does not depend on the name that the user gave the copy."""
    return f"{copy_database_name(rehearsal_id)}_{part}"


# What a session that ends those of a rehearsal calls itself: with the rehearsal's own it would end, and count, itself.
CLEAN_UP_NAME = "rehearsal clean-up"


def application_name(rehearsal_id: str) -> str:
    """What sessions of a rehearsal call themselves in pg_stat_activity."""
    return f"rehearsal {rehearsal_id}"


@dataclasses.dataclass(frozen=True)
class Marker:
    """The JSON comment on a copy, and the content of a work directory's `rehearsal.json`.

    `source` names what the copy was made from (host and database), the times are in the form of `format_time`. `part` is empty on the copy
    itself, and one of SIDE_PARTS on a database beside it: the fence lets only the one pass that was asked for.
    """

    id: str
    source: str
    created: str
    expires: str
    part: str = ""

    def to_text(self) -> str:
        """The comment's text."""
        fields = {name: value for name, value in dataclasses.asdict(self).items() if name != "part" or value}
        return json.dumps({"rehearsal": fields}, ensure_ascii=False, sort_keys=True)

    def beside(self, part: str) -> Marker:
        """The marker of a database beside the copy."""
        return dataclasses.replace(self, part=part)

    @classmethod
    def from_text(cls, text: Optional[str]) -> Optional[Marker]:
        """The marker in a comment, or None if the comment is missing or anything but a whole marker."""
        try:
            found = json.loads(text or "")["rehearsal"]
            marker = cls(id=found["id"], source=found["source"], created=found["created"], expires=found["expires"], part=found.get("part", ""))
            parse_time(marker.expires)
            whole = is_id(marker.id) and all(isinstance(text, str) for text in (marker.source, marker.created, marker.part))
        except (ValueError, KeyError, TypeError, RecursionError):
            # Comments of other people's databases come here: anything can be in them.
            return None
        return marker if whole else None

    def expired(self, now: datetime.datetime) -> bool:
        """Whether `sweep` may remove what carries this marker."""
        return parse_time(self.expires) <= now
