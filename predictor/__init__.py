"""What will it take: features, regressor, calibration, evaluation, artifact."""
