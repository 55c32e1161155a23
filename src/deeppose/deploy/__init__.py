"""A trained cascade outside the pipeline: on a photo, as ONNX."""
