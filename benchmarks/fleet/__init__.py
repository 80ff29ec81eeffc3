"""What the fault table of the fleet needs: a server, a network that can be cut, workers, and an observer."""
