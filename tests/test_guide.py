"""The guide is complete: every failure has an entry, and every link leads somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def codes() -> set[str]:
    """Of the classes that have one, and those that the bootstrap says."""
    found = set()
    for room in ("addon", "core_models", "train"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.ClassDef(name=name, body=body) if name != "SemblanceError":
                        found |= {value for line in body if (value := _code(line))}
                    case ast.Call(func=ast.Name(id="fail"), args=[ast.Constant(value=code), *_]):
                        found.add(code)
    return found


def _code(line: ast.stmt) -> str | None:
    match line:
        case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
            return code
    return None


def test_every_failure_has_a_cure_in_the_guide() -> None:
    rows = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    documented = re.findall(r"\| `(\w+)` \|$", rows, flags=re.M)
    assert len(documented) == len(set(documented))
    assert set(documented) == codes()


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target
