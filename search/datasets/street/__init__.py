"""Street scenes in perspective, drawn from random numbers; lengths in metres, colours from 0 to 1."""
