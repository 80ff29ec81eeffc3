"""Training of chosen networks: ``hyctas retrain``."""
