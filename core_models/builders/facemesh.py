"""The FaceMesh landmark network run directly, without face detector or presence gate (builder only).

MediaPipe normally refuses pictures without a face. Run bare, the network answers every picture with its idea of a
face: the source of the default model's mean. Needs the pinned mediapipe wheel; nothing here runs at load time.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

INPUT_SIZE = 192

_GRAPH = """
input_stream: "image"
input_stream: "region"
output_stream: "landmarks"
node { calculator: "ImageToTensorCalculator" input_stream: "IMAGE:image" input_stream: "NORM_RECT:region"
  output_stream: "TENSORS:pixels"
  options { [mediapipe.ImageToTensorCalculatorOptions.ext] { output_tensor_width: 192 output_tensor_height: 192
    output_tensor_float_range { min: 0.0 max: 1.0 } } } }
node { calculator: "InferenceCalculator" input_stream: "TENSORS:pixels" output_stream: "TENSORS:raw"
  options { [mediapipe.InferenceCalculatorOptions.ext] {
    model_path: "mediapipe/modules/face_landmark/face_landmark.tflite" delegate { xnnpack { } } } } }
node { calculator: "SplitTensorVectorCalculator" input_stream: "raw" output_stream: "points" output_stream: "score"
  options { [mediapipe.SplitVectorCalculatorOptions.ext] { ranges: { begin: 0 end: 1 } ranges: { begin: 1 end: 2 } } } }
node { calculator: "TensorsToLandmarksCalculator" input_stream: "TENSORS:points"
  output_stream: "NORM_LANDMARKS:landmarks"
  options { [mediapipe.TensorsToLandmarksCalculatorOptions.ext] { num_landmarks: 468
    input_image_width: 192 input_image_height: 192 } } }
"""


class FaceMeshNetwork:
    """Callable: (H, W, 3) uint8 sRGB image → (468, 3) landmarks of the whole picture seen as a face crop."""

    def __init__(self) -> None:
        import mediapipe
        from google.protobuf import text_format
        from mediapipe.calculators.core import split_vector_calculator_pb2  # noqa: F401
        from mediapipe.calculators.tensor import (  # noqa: F401  (registers the option messages used by the graph)
            image_to_tensor_calculator_pb2,
            inference_calculator_pb2,
            tensors_to_landmarks_calculator_pb2,
        )
        from mediapipe.framework import calculator_pb2
        from mediapipe.python._framework_bindings import calculator_graph, resource_util

        resource_util.set_resource_dir(os.path.dirname(os.path.dirname(os.path.abspath(mediapipe.__file__))))
        config = text_format.Parse(_GRAPH, calculator_pb2.CalculatorGraphConfig())
        self._graph = calculator_graph.CalculatorGraph(graph_config=config)
        self._packets: list[Any] = []
        self._graph.observe_output_stream("landmarks", lambda _, packet: self._packets.append(packet))
        self._graph.start_run()
        self._timestamp = 0

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Landmarks (468, 3) in units of the 192-pixel network input: x right, y up, z towards the viewer."""
        import mediapipe
        from mediapipe.framework.formats import rect_pb2
        from mediapipe.python import packet_creator, packet_getter

        self._timestamp += 1000
        self._packets.clear()
        frame = packet_creator.create_image_frame(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image)
        )
        whole = rect_pb2.NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0, rotation=0.0)
        self._graph.add_packet_to_input_stream("image", frame.at(self._timestamp))
        self._graph.add_packet_to_input_stream(
            "region", packet_creator.create_proto(whole).at(self._timestamp)
        )
        self._graph.wait_until_idle()
        points = packet_getter.get_proto(self._packets[-1]).landmark
        return np.array([[p.x, -p.y, -p.z] for p in points]) * INPUT_SIZE

    def close(self) -> None:
        """Free the network."""
        self._graph.close()


def tesselation_edges() -> np.ndarray:
    """(1322, 2) sorted vertex pairs: the edges of FaceMesh's drawing mesh, as published in the wheel."""
    from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION

    return np.array(sorted({(min(a, b), max(a, b)) for a, b in FACEMESH_TESSELATION}))
