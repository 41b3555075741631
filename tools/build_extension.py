"""Build dist/semblance-VERSION.zip, and let Blender's own tool validate it.

.venv/bin/python tools/build_extension.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def blender_tool() -> Path:
    """Blender's program for extensions; it needs no Blender, so `bpy` is found and not imported."""
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        sys.exit("Blender's module bpy is missing: pip install --no-deps -r requirements-blender.txt")
    return next(Path(spec.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))


def build(out: Path) -> Path:
    """Write the zip into `out` and return its path; exits with the tool's words where it finds fault."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    out.mkdir(parents=True, exist_ok=True)
    archive = out / f"{manifest['id']}-{manifest['version']}.zip"
    for arguments in (
        ["validate", str(ROOT)],
        ["build", "--source-dir", str(ROOT), "--output-filepath", str(archive)],
        ["validate", str(archive)],
    ):
        done = subprocess.run(
            [sys.executable, str(blender_tool()), *arguments], capture_output=True, text=True
        )
        if done.returncode != 0:
            sys.exit(f"{arguments[0]}: {done.stdout}{done.stderr}")
    return archive


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    print(build(parser.parse_args().out))
