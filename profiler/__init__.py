"""How long does it take: runtimes, the measuring protocol, plans."""
