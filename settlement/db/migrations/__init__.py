"""Alembic's migrations, run by `settlement init` and at every start."""
