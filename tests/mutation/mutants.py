"""Small changes of a Python file: one operator, constant, condition or statement each."""

from __future__ import annotations

import ast
import copy
import hashlib
from collections.abc import Iterator

from rules import MODULE_UTILS, NOT_RULES

COMPARISONS = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


class Mutant:
    """One change. `key` tells it from others without its line, so that it stays the same when the file grows."""

    def __init__(self, file: str, owner: str, tree: ast.Module, line: int, what: str) -> None:
        self.file = file
        self.source = ast.unparse(ast.fix_missing_locations(tree))
        self.name = f"{file}:{line}: {what}"
        self.key = f"{file}:{owner}: {what}"

    def is_one_in(self, share: int) -> bool:
        """Chosen by what it is: another change of the code chooses no others."""
        return int(hashlib.sha256(self.key.encode()).hexdigest(), 16) % share == 0


def mutants_of(file: str) -> Iterator[Mutant]:
    """All changes of a file that are tried."""
    text = (MODULE_UTILS / file).read_text(encoding="utf-8")
    original = ast.parse(text)
    owners = _owners(original)
    for number, node in enumerate(ast.walk(original)):
        owner = owners.get(node, "")
        if f"{file}:{owner}" in NOT_RULES:
            continue
        for variant in range(_variants(node)):
            tree = copy.deepcopy(original)
            target = list(ast.walk(tree))[number]
            before = ast.unparse(target).splitlines()[0][:90]
            after = _apply(tree, target, variant)
            if after is not None:
                yield Mutant(file, owner, tree, getattr(node, "lineno", 0), f"{before} → {after}")


def _owners(tree: ast.Module) -> dict[ast.AST, str]:
    """The name of the innermost function that a node is in."""
    found: dict[ast.AST, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            found.update(dict.fromkeys(ast.walk(node), node.name))
    return found


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


def _apply(tree: ast.Module, node: ast.AST, variant: int) -> str | None:
    """Change the node within its tree; what it is now, in short."""
    if isinstance(node, ast.Compare):
        node.ops[variant] = COMPARISONS[type(node.ops[variant])]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.UnaryOp):
        return "without not" if _replace(tree, node, node.operand) else None
    elif isinstance(node, ast.If):
        node.test = ast.Constant(bool(variant))
    elif isinstance(node, (ast.Expr, ast.Continue)):
        return "gone" if _replace(tree, node, ast.Pass()) else None
    elif isinstance(node, ast.Constant):
        node.value = (not node.value) if isinstance(node.value, bool) else int(node.value) + 1  # type: ignore[arg-type]
    elif isinstance(node, ast.Name):
        node.id = {"INFO": "WARNING", "WARNING": "INFO", "BLOCKER": "WARNING"}[node.id]
    elif isinstance(node, ast.BinOp):
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
    return ast.unparse(node).splitlines()[0][:90]


def _replace(tree: ast.Module, old: ast.AST, new: ast.AST) -> bool:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
                return True
            if isinstance(value, list) and any(one is old for one in value):
                value[[one is old for one in value].index(True)] = new
                return True
    return False
