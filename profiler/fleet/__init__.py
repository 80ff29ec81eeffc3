"""Many devices, one queue: workers that take jobs from PostgreSQL and give each exactly one result."""
