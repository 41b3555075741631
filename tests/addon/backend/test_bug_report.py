"""The text of Copy Report tells what happened, and not who or whose face it is."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from semblance.addon.backend.bug_report import anonymous, report_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/anna/.config/blender/4.5/x.py", "~/.config/blender/4.5/x.py"),
        ("/media/anna/disk/environment", "/media/USER/disk/environment"),
        ("'/home/anna/My Friend Bob.JPG' is no photo.", "'FILE.JPG' is no photo."),
        ("'Boris.png': no face", "'FILE.png': no face"),
        ("reading /data/photos/bob.webp failed", "reading FILE.webp failed"),
        ("annabel /home/annabel/x", "annabel /home/annabel/x"),
        ("torch 2.13.0 at 0.5", "torch 2.13.0 at 0.5"),
    ],
)
def test_names_are_left_out(text: str, expected: str) -> None:
    assert anonymous(text, PurePosixPath("/home/anna")) == expected


def test_the_end_of_the_log_is_in_it(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("old\n" * 5000 + "ImportError: libGL.so.1")
    text = report_text({"Blender": "4.5.15"}, "It broke.", log)
    assert text.startswith("Blender: 4.5.15\nError: It broke.\n")
    assert text.endswith("ImportError: libGL.so.1") and len(text) < 5000


def test_a_log_that_is_gone_is_no_obstacle(tmp_path: Path) -> None:
    assert report_text({"A": "b"}, "", tmp_path / "gone.log") == "A: b\nError: none"
    assert report_text({"A": "b"}, "", None) == "A: b\nError: none"
