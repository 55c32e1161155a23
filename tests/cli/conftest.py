from predicting import predict, project  # noqa: F401 - fixtures
