"""What targets that are known already teach about a new one."""
