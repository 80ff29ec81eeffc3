"""The domain of hyctas: search space, architectures, graphs, targets, measurements, predictions, client."""
