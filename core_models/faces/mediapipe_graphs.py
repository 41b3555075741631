"""mediapipe's face detectors, FaceMesh and person segmentation networks as plain functions of an image.

mediapipe 0.10.21 wraps the landmark network in a graph that detects faces itself; the graph here holds the
network alone, so that the caller chooses the crop.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

CROP = 192
"""Side of the landmark network's input, pixels."""

_LANDMARK_GRAPH = """
input_stream: "IMAGE:image"
input_stream: "ROI:roi"
input_side_packet: "WITH_ATTENTION:with_attention"
output_stream: "LANDMARKS:landmarks"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""
_SHORT_RANGE, _FULL_RANGE = 0, 1
_SQUARE_INPUT = 0
"""The segmentation network of 256² pixels; the other one is for wide pictures."""


@dataclass(frozen=True)
class Detection:
    """What a detector says of one face, in pixels of the image it was given."""

    centre: np.ndarray
    """(2,) of the box, which reaches from brows to chin."""
    size: float
    """Longer side of the box."""
    roll: float
    """Radians from the image's x axis to the line from the subject's right eye to the left; y points down."""
    score: float


class FaceNetworks:
    """The networks, loaded once and kept; not for use from several threads."""

    def __init__(self, min_score: float) -> None:
        """Load the networks; detections below `min_score` (0 … 1) are left out."""
        with _quiet_stderr():
            from google.protobuf import text_format
            from mediapipe.framework import calculator_pb2
            from mediapipe.framework.formats import rect_pb2
            from mediapipe.python.solution_base import SolutionBase

            # `face_mesh` registers the messages of the landmark graph's options.
            from mediapipe.python.solutions import (  # noqa: F401
                face_detection,
                face_mesh,
                selfie_segmentation,
            )

            self._detectors = [
                face_detection.FaceDetection(min_detection_confidence=min_score, model_selection=model)
                for model in (_SHORT_RANGE, _FULL_RANGE)
            ]
            self._landmarker = SolutionBase(
                graph_config=text_format.Parse(_LANDMARK_GRAPH, calculator_pb2.CalculatorGraphConfig()),
                side_inputs={"with_attention": True},
                outputs=["landmarks"],
            )
            self._segmenter = selfie_segmentation.SelfieSegmentation(_SQUARE_INPUT)
            self._whole = rect_pb2.NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0)
            # The first run of each prints its warnings.
            blank = np.full((CROP, CROP, 3), 128, np.uint8)
            self.detect(blank)
            self.landmarks(blank)
            self.person(blank)

    def detect(self, srgb: np.ndarray) -> list[Detection]:
        """Faces in an (H, W, 3) uint8 image, from both detectors; the same face may come twice."""
        height, width = srgb.shape[:2]
        image = np.ascontiguousarray(srgb)
        found = []
        for detector in self._detectors:
            for detection in detector.process(image).detections or ():
                box = detection.location_data.relative_bounding_box
                middle = (box.xmin + box.width / 2, box.ymin + box.height / 2)
                right_eye, left_eye = detection.location_data.relative_keypoints[:2]
                eyes = ((left_eye.x - right_eye.x) * width, (left_eye.y - right_eye.y) * height)
                found.append(
                    Detection(
                        centre=np.array([middle[0] * width, middle[1] * height]),
                        size=max(box.width * width, box.height * height),
                        roll=float(np.arctan2(eyes[1], eyes[0])),
                        score=float(detection.score[0]),
                    )
                )
        return found

    def landmarks(self, crop: np.ndarray) -> np.ndarray | None:
        """(478, 2) float64, pixels of the upright (CROP, CROP, 3) uint8 crop; None if there is no face."""
        result = self._landmarker.process({"image": np.ascontiguousarray(crop), "roi": self._whole}).landmarks
        if result is None:
            return None
        return np.array([(point.x, point.y) for point in result.landmark]) * CROP

    def person(self, srgb: np.ndarray) -> np.ndarray:
        """(H, W) float32 for an (H, W, 3) uint8 image: how surely each pixel is a person or their clothes, 0 … 1."""
        return self._segmenter.process(np.ascontiguousarray(srgb)).segmentation_mask.astype(np.float32)

    def close(self) -> None:
        """Free the networks."""
        for graph in (*self._detectors, self._landmarker, self._segmenter):
            graph.close()


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep the log lines that mediapipe's C++ writes at start-up, whatever its settings, off the terminal."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # a windowed program may have no stderr
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
