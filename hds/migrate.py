"""Flask-Migrate, for who migrates alone: Alembic costs a process 11 MB and a third of a second of its start."""

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from hds.config import ROOT
from hds.extensions import db


def bind(app: Flask) -> None:
    """Say where the migrations lie, for whatever of Flask-Migrate comes next."""
    from flask_migrate import Migrate

    Migrate(app, db, directory=str(ROOT / "migrations"), compare_type=True)


def upgrade() -> None:
    """Bring the application's database up to date."""
    import flask_migrate

    bind(current_app)
    flask_migrate.upgrade()


@click.command("db", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@with_appcontext
def command(arguments: tuple[str, ...]) -> None:
    """Migrations, by Flask-Migrate: `flask db upgrade`, `current`, `history`, `revision` …"""
    from flask_migrate.cli import db as group

    bind(current_app)
    group.main(arguments, prog_name="flask db")
