"""What was measured: models, repository, migrations; the only importer of sqlalchemy."""
