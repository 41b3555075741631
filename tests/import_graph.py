"""Which file imports which: what the guards in test_house.py read the sources for."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]

Name = tuple[str, ...]
"""A dotted name; one of this repository begins with "" (its root): ("", "core_models", "colour", "srgb_to_linear")."""


def modules(room: str) -> list[Path]:
    """The Python files of one of the root's folders."""
    return sorted((ROOT / room).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    """A file's syntax."""
    return ast.parse(path.read_text(encoding="utf-8"))


def written_imports(path: Path) -> Iterator[Name]:
    """Every import wherever it stands, in a function or for the type checker too; an absolute one as it is written."""
    package = ("", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            base = package[: len(package) - node.level + 1] + module if node.level else module
            yield from ((*base, alias.name) for alias in node.names)


def imports(path: Path) -> Iterator[Name]:
    """`written_imports`, with `semblance.` as what it is: the root."""
    for name in written_imports(path):
        yield ("", *name[1:]) if name[0] == "semblance" else name


def imported_file(name: Name) -> Path | None:
    """The file of this repository that a name lies in, if it is one's."""
    if name[0] != "":
        return None
    for end in range(len(name), 1, -1):
        path = ROOT.joinpath(*name[1:end])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
    return None


def file_graph(rooms: tuple[str, ...]) -> dict[Path, set[Path]]:
    """Each file of the rooms, and the others that it imports."""
    return {
        path: {file for name in imports(path) if (file := imported_file(name)) not in (None, path)}
        for room in rooms
        for path in modules(room)
    }


def circles(graph: Mapping[Path, set[Path]]) -> list[list[str]]:
    """The groups of files that import each other, by way of others too (strongly connected components)."""
    reached = {path: _reachable(graph, path) for path in graph}
    groups = {
        frozenset(other for other in reached[path] if path in reached.get(other, ()))
        for path in graph
        if path in reached[path]
    }
    return [sorted(path.relative_to(ROOT).as_posix() for path in group) for group in groups]


def _reachable(graph: Mapping[Path, set[Path]], start: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = list(graph[start])
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += graph.get(path, ())
    return found


def private_names(path: Path) -> set[str]:
    """Names with a leading underscore that a file takes from others: imported, or of an object that is not its own."""
    found = {
        name[-1] for name in written_imports(path) if name[0] in ("", "semblance") and _is_private(name[-1])
    }
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and _is_private(node.attr):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            found |= set() if own else {node.attr}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            # monkeypatch.setattr(module, "_name", …) and getattr(module, "_name")
            found |= {text for text in texts if called in ("setattr", "getattr") and _is_private(text)}
    return found


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_exit"  # os._exit, documented
