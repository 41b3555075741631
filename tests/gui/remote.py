"""Inside Blender: does what the test asks. `blender --python remote.py`, with the folder in SEMBLANCE_REMOTE.

The test writes `request.py`, Python whose variable `answer` comes back in `answer.json`.
"""

import json
import os
import traceback
from pathlib import Path

import bpy

FOLDER = Path(os.environ["SEMBLANCE_REMOTE"])


def look():
    request = FOLDER / "request.py"
    if request.exists():
        code = request.read_text("utf-8")
        request.unlink()
        names = {"bpy": bpy, "answer": None}
        try:
            exec(code, names)
            reply = {"answer": names["answer"]}
        except Exception:
            reply = {"error": traceback.format_exc()}
        temporary = FOLDER / "answer.tmp"
        temporary.write_text(json.dumps(reply), "utf-8")
        temporary.rename(FOLDER / "answer.json")
    return 0.05


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(look, first_interval=0.5, persistent=True)
