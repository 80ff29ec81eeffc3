"""Ask over HTTP: the FastAPI application and its hot path."""
