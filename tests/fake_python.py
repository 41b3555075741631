#!PYTHON
"""A Python whose venv and pip do what `plan.txt` beside the environment says, one word a pip call; and tell on it.

ok, slow (until killed), no_network, disk_full, long_path, broken. test_venv_setup writes it with its own first
line.
"""

import os
import sys
import time
from pathlib import Path

OUTPUT = {
    "no_network": "WARNING: Retrying after connection broken by 'NewConnectionError(...)'\n"
    "ERROR: Could not find a version that satisfies the requirement torch==2.13.0+cpu",
    "disk_full": "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
    "long_path": "ERROR: Could not install packages due to an OSError: [Errno 2] No such file or directory: 'C:/'\n"
    "HINT: This error might have occurred since this system does not have Windows Long Path support enabled.",
    "broken": "ERROR: The wheel is of another planet.",
}
arguments = sys.argv[1:]
if "venv" in arguments:
    folder = Path(arguments[-1])
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "bin" / "python").write_bytes(Path(__file__).read_bytes())
    (folder / "bin" / "python").chmod(0o755)
    sys.exit()
folder = Path(__file__).parents[1].parent
with open(folder / "calls.txt", "a") as calls:
    calls.write(" ".join(arguments).replace("\n", " ") + "\n")
words = (folder / "plan.txt").read_text().split()
(folder / "plan.txt").write_text(" ".join(words[1:]))
word = words[0] if words else "ok"
print("Collecting something")
print("  Downloading something-1-py3-none-any.whl (100 MB)")
print("Progress 0 of 100000000\nProgress 50000000 of 100000000", flush=True)
Path(os.environ["TMPDIR"], "half.whl").touch()
if word == "slow":
    time.sleep(60)
if word in OUTPUT:
    print(OUTPUT[word], file=sys.stderr)
    sys.exit(1)
