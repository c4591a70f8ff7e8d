# Copyright: (c) 2026, Migration rehearsal maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the HTML report: they sort and filter where scripts run, and are plain tables where none does."""

from __future__ import annotations

import dataclasses
from typing import Callable, List, Optional, Sequence, Union

from ansible_collections.migrations.rehearsal.plugins.module_utils.html_elements import Child, Html, join, tag
from ansible_collections.migrations.rehearsal.plugins.module_utils.words import Speaker

# From so many rows on there is something to look for.
_FILTER_FROM = 8
# The script folds what is below so many rows.
FOLD_AFTER = 20
_LONG_LIST = 3
_COLUMNS_OF_A_PHONE = 2


@dataclasses.dataclass(frozen=True)
class Column:
    """`numeric`: to the right, sorted by `Cell.order`. `wide`: it gets what room there is."""

    label: str
    numeric: bool = False
    wide: bool = False


@dataclasses.dataclass(frozen=True)
class Cell:
    """`order` sorts it, where that is not its text."""

    content: Child
    order: Optional[float] = None


Row = Sequence[Union[Cell, Child]]


def table(caption: str, columns: Sequence[Column], rows: Sequence[Row], say: Speaker, fold_after: int = FOLD_AFTER) -> Html:
    """A table with its caption as its name; nothing where there are no rows."""
    if not rows:
        return Html("")
    # On a phone a row of many cells is a card, whose cells say what they are.
    cards = len(columns) > _COLUMNS_OF_A_PHONE
    head = tag("tr", *(tag("th", column.label, scope="col", class_="number" if column.numeric else None) for column in columns))
    body = [tag("tr", *(_cell(cell, column, cards) for cell, column in zip(row, columns))) for row in rows]
    tools = (
        tag(
            "label",
            tag("span", say("Filter"), class_="unseen"),
            tag("input", type="search", placeholder=say("Filter {count:count row|rows}", count=len(rows)), autocomplete="off"),
            class_="filter",
        )
        if len(rows) >= _FILTER_FROM
        else None
    )
    made = tag("table", tag("caption", caption, class_="unseen"), tag("thead", head), tag("tbody", *body), class_="cards" if cards else None)
    # Focusable, so that it can be scrolled sideways with the keyboard.
    scroller = tag("div", made, class_="scroller", tabindex=0, role="region", aria_label=caption)
    return tag("div", tools, scroller, class_="sortable", data_fold=fold_after, data_all=say("Show all {count:number}", count=len(rows)),
               data_fewer=say("Show fewer"), data_none=say("No row has that."))  # fmt: skip


def _cell(cell: Union[Cell, Child], column: Column, named: bool) -> Html:
    name = "number" if column.numeric else "wide" if column.wide else None
    label = column.label if named and column.label else None
    if isinstance(cell, Cell):
        return tag("td", cell.content, class_=name, data_order=cell.order, data_label=label)
    return tag("td", cell, class_=name, data_label=label)


def sql(statement: str) -> Html:
    """A statement in a cell; a long one folds."""
    if len(statement) <= 160:
        return tag("code", statement, class_="sql")
    return tag("details", tag("summary", tag("code", statement[:140] + "…", class_="sql")), tag("code", statement, class_="sql"))


def short_list(items: Sequence[str], say: Speaker, most: int = _LONG_LIST) -> Html:
    """A list in a cell; a long one folds."""
    shown: List[Html] = [tag("div", tag("code", item)) for item in items]
    if len(shown) <= most + 1:
        return join(*shown)
    rest = shown[most:]
    return join(*shown[:most], tag("details", tag("summary", say("and {more} more", more=len(rest))), *rest))


def duration(ms: Optional[float], say: Speaker) -> Cell:
    """Milliseconds, as a person reads them."""
    return figure(ms, say.duration)


def figure(value: Optional[float], said: Callable[[float], str]) -> Cell:
    """A dash for what was not measured; it sorts first."""
    return Cell("–", -1) if value is None else Cell(said(value), value)
