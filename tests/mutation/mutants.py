"""Small changes of a Python file: one operator, constant, condition or statement each."""

from __future__ import annotations

import ast
import copy
import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from rules import MODULE_UTILS, NOT_RULES

COMPARISONS = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


class Place(NamedTuple):
    """Lines of a statement, or of the head of one that has others in it."""

    first: int
    last: int


class Mutant:
    """One change: the `variant`th of the `number`th node. `key` tells it from others without its line, so that it stays when the file grows.

    Where a function says the same twice, two have one key; no two have one `id`.
    """

    def __init__(self, file: str, owner: str, line: int, what: str, number: int, variant: int) -> None:
        self.file = file
        self.name = f"{file}:{line}: {what}"
        self.key = f"{file}:{owner}: {what}"
        self.id = f"{file} {number} {variant}"
        self._number = number
        self._variant = variant

    @property
    def tree(self) -> ast.Module:
        """The file with the change in it; what was not changed has its old lines."""
        tree, node = self._original()
        if _is_taken_out(node):
            _replace(tree, node, node.operand if isinstance(node, ast.UnaryOp) else ast.copy_location(ast.Pass(), node))
        else:
            _change(node, self._variant)
        return ast.fix_missing_locations(tree)

    @property
    def source(self) -> str:
        """The same as text."""
        return ast.unparse(self.tree)

    @property
    def place(self) -> Place | None:
        """The lines that whoever meets the change comes by; None outside of functions, where everybody does who imports the file."""
        tree, node = self._original()
        return _place(tree, node)

    def _original(self) -> tuple[ast.Module, ast.AST]:
        tree = ast.parse((MODULE_UTILS / self.file).read_text(encoding="utf-8"))
        return tree, list(ast.walk(tree))[self._number]

    def is_one_in(self, share: int) -> bool:
        """Chosen by what it is: another change of the code chooses no others."""
        return int(hashlib.sha256(self.key.encode()).hexdigest(), 16) % share == 0


def mutants_of(file: str) -> Iterator[Mutant]:
    """All changes of a file that are tried."""
    text = (MODULE_UTILS / file).read_text(encoding="utf-8")
    tree = ast.parse(text)
    owners = _owners(tree)
    for number, node in enumerate(ast.walk(tree)):
        owner = owners.get(node, "")
        if f"{file}:{owner}" in NOT_RULES:
            continue
        for variant in range(_variants(node)):
            yield Mutant(file, owner, getattr(node, "lineno", 0), f"{_short(node)} → {_after(node, variant)}", number, variant)


def _owners(tree: ast.Module) -> dict[ast.AST, str]:
    """The name of the innermost function that a node is in."""
    found: dict[ast.AST, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            found.update(dict.fromkeys(ast.walk(node), node.name))
    return found


def _place(tree: ast.Module, node: ast.AST) -> Place | None:
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    statement: ast.AST = node
    while not isinstance(statement, ast.stmt):
        statement = parents[statement]
    # The head of a function is evaluated where the function is made.
    within, inner = parents.get(statement), isinstance(statement, (ast.FunctionDef, ast.ClassDef))
    while not isinstance(within, (ast.FunctionDef, ast.Module)):
        within = parents[within] if within is not None else tree
    if inner or isinstance(within, ast.Module):
        return None
    first = min([statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", []))])
    body = getattr(statement, "body", None)
    return Place(first, max(first, body[0].lineno - 1 if isinstance(body, list) else statement.end_lineno or first))


def _variants(node: ast.AST) -> int:
    if isinstance(node, ast.Compare):
        return len(node.ops)
    if isinstance(node, ast.BoolOp):
        return 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return 1
    if isinstance(node, ast.If):
        return 2
    if isinstance(node, ast.Expr) and isinstance(node.value, (ast.Yield, ast.YieldFrom, ast.Call)):
        return 1
    if isinstance(node, ast.Continue):
        return 1
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int)):
        return 1
    if isinstance(node, ast.Name) and node.id in ("INFO", "WARNING", "BLOCKER"):
        return 1
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        return 1
    return 0


def _short(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0][:90]


def _after(node: ast.AST, variant: int) -> str:
    """What becomes of it, in short."""
    if _is_taken_out(node):
        return "without not" if isinstance(node, ast.UnaryOp) else "gone"
    changed = copy.deepcopy(node)
    _change(changed, variant)
    return _short(changed)


def _is_taken_out(node: ast.AST) -> bool:
    return isinstance(node, (ast.UnaryOp, ast.Expr, ast.Continue))


def _change(node: ast.AST, variant: int) -> None:
    if isinstance(node, ast.Compare):
        node.ops[variant] = COMPARISONS[type(node.ops[variant])]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.If):
        node.test = ast.Constant(bool(variant))
    elif isinstance(node, ast.Constant):
        node.value = (not node.value) if isinstance(node.value, bool) else int(node.value) + 1  # type: ignore[arg-type]
    elif isinstance(node, ast.Name):
        node.id = {"INFO": "WARNING", "WARNING": "INFO", "BLOCKER": "WARNING"}[node.id]
    elif isinstance(node, ast.BinOp):
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()


def _replace(tree: ast.Module, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
                return
            if isinstance(value, list) and any(one is old for one in value):
                value[[one is old for one in value].index(True)] = new
                return
