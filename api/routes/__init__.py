"""Routes behind the framework, one file a subject."""
