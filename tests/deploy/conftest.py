from predicting import project  # noqa: F401 - a fixture
