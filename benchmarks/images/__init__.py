"""The images of ``docker/`` without a container engine: their own instructions are read and done in a clean root."""
