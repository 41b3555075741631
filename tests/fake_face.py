"""The face command with the fake worker: `python -m semblance.tests.fake_face '{"photos": […], …}'`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from semblance.addon.headless.face import FaceArguments, run
from semblance.core_models.protocol import Options

if __name__ == "__main__":
    values = json.loads(sys.argv[1])
    values["photos"] = tuple(Path(photo) for photo in values["photos"])
    values["options"] = Options(**values.get("options", {}))
    values["out"] = Path(values["out"]) if values.get("out") else None
    sys.exit(run(FaceArguments(**values), [sys.executable, "-m", "semblance.tests.fake_worker"]))
