"""The numbered migrations: from nothing to today, back and again, and no row is lost on the way on either database."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import (
    JSON,
    Boolean,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    insert,
    inspect,
    select,
    text,
)

from hds.app import create_app
from hds.config import ROOT
from hds.extensions import db
from hds.lib.models import State, UTCDateTime
from hds.migrate import bind
from hds.webhooks import inbox
from tests.conftest import ON_SERVERS
from tests.servers import own_database

MIGRATIONS = ROOT / "migrations"
NUMBERED = sorted(path.name for path in (MIGRATIONS / "versions").glob("*.py"))
MOMENT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.fixture
def fresh(make_settings, tmp_path) -> Iterator[Flask]:
    """An application with a database that holds nothing yet, in its context."""
    with _empty_database(tmp_path) as url:
        app = create_app(make_settings(database_url=url, hds_data=tmp_path))
        bind(app)
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()
        inbox.hang_up()


@contextmanager
def _empty_database(folder: Path) -> Iterator[str]:
    if not ON_SERVERS:
        yield f"sqlite:///{folder}/fresh.sqlite3"
        return
    with own_database(os.environ["TEST_DATABASE_URL"], "migrations") as url:
        yield url


def migrate(revision: str = "head", directory: Path = MIGRATIONS) -> None:
    db.session.remove()
    upgrade(directory=str(directory), revision=revision)


def back(revision: str) -> None:
    db.session.remove()
    downgrade(directory=str(MIGRATIONS), revision=revision)


def tables() -> dict[str, Table]:
    """As they stand in the database, whatever today's models say."""
    found = MetaData()
    found.reflect(db.engine)
    return {table.name: table for table in found.sorted_tables if table.name != "alembic_version"}


def fill() -> None:
    """Two rows in every table, each with every column filled, referring to the rows of the tables before."""
    declared = db.metadata.tables
    for name, table in tables().items():
        for number in (1, 2):
            row = {
                column.name: number
                if column.foreign_keys
                else _some_value(declared[name].columns.get(column.name), column, number)
                for column in table.columns
            }
            db.session.execute(insert(table).values(row))
    db.session.commit()


def _some_value(declared: Any, column: Any, number: int) -> Any:
    kind = declared.type if declared is not None else column.type
    if column.name == "id":
        return number
    if isinstance(kind, State):
        return next(iter(kind.members)).value
    if isinstance(kind, UTCDateTime | DateTime):
        return MOMENT if ON_SERVERS else MOMENT.replace(tzinfo=None)
    if isinstance(kind, Date):
        return MOMENT.date()
    if isinstance(kind, JSON):
        return {"row": number}
    if isinstance(kind, Boolean):
        return True
    if isinstance(kind, Integer):
        return number
    return f"{number}".encode() if isinstance(kind, LargeBinary) else f"{number}"


def count_rows() -> dict[str, int]:
    return {name: len(rows) for name, rows in content().items()}


def content() -> dict[str, list[dict[str, Any]]]:
    found = {
        name: [dict(row) for row in db.session.execute(select(table).order_by(table.c.id)).mappings()]
        for name, table in tables().items()
    }
    db.session.remove()
    return found


def columns_of(table: str) -> set[str]:
    return {column["name"] for column in inspect(db.engine).get_columns(table)}


def test_they_are_numbered_without_gaps_and_in_one_line():
    assert [name[:4] for name in NUMBERED] == [f"{number:04}" for number in range(1, len(NUMBERED) + 1)]
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.py", name) for name in NUMBERED)
    scripts = ScriptDirectory(str(MIGRATIONS))
    revisions = [script.revision for script in reversed(list(scripts.walk_revisions()))]
    assert revisions == [name[:4] for name in NUMBERED]
    assert scripts.get_heads() == [NUMBERED[-1][:4]]


def test_they_use_none_of_todays_code():
    for name in NUMBERED:
        assert "from hds" not in (MIGRATIONS / "versions" / name).read_text(), name


def test_from_nothing_to_today_makes_what_the_models_say(fresh):
    migrate()
    with db.engine.connect() as connection:
        opts = {"compare_type": True, "compare_server_default": other_default}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, db.metadata) == []


def other_default(_context, _column, model_column, in_database, _model_default, in_model) -> bool | None:
    """PostgreSQL cannot compare JSON with =, and puts its type behind the text. None: as alembic does."""
    if not isinstance(model_column.type, JSON):
        return None
    return (in_database or "").removesuffix("::json").strip("'") != (in_model or "")


def test_every_table_of_the_models_is_there(fresh):
    migrate()
    assert set(tables()) == set(db.metadata.tables)


def test_back_to_nothing_and_again(fresh):
    migrate()
    made = {name: sorted(table.columns.keys()) for name, table in tables().items()}
    back("base")
    assert tables() == {}
    migrate()
    assert {name: sorted(table.columns.keys()) for name, table in tables().items()} == made


@pytest.mark.parametrize("number", range(2, len(NUMBERED) + 1))
def test_no_row_is_lost_by_the_step_to_this_one(fresh, number):
    migrate(f"{number - 1:04}")
    fill()
    before = count_rows()
    assert set(before.values()) <= {2}
    migrate(f"{number:04}")
    after = count_rows()
    assert {name: after.get(name) for name in before} == before


def test_no_row_is_lost_by_going_one_step_back_and_on_again(fresh):
    migrate()
    fill()
    before = content()
    back("-1")
    older = {name: table.columns.keys() for name, table in tables().items()}  # what the last step made goes with it
    migrate()
    after = content()
    for name, columns in older.items():
        rows = zip(before[name], after[name], strict=True)
        assert all(was[column] == now[column] for was, now in rows for column in columns), name


def with_another(folder: Path, body: str) -> Path:
    """The migrations, and after the last one another that does this."""
    copy = folder / "migrations"
    shutil.copytree(MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    head = NUMBERED[-1][:4]
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    (copy / "versions" / "9999_another.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n\n"
        f'revision = "9999"\ndown_revision = "{head}"\n\n\ndef upgrade():\n{lines}\n\n\ndef downgrade():\n    pass\n'
    )
    return copy


@pytest.mark.skipif(ON_SERVERS, reason="PostgreSQL alters a table where it stands")
def test_copying_every_table_keeps_every_row(fresh, tmp_path):
    """SQLite alters a table by copying it and dropping the old one: what refers to it by CASCADE must stay."""
    migrate()
    fill()
    before = content()
    copies = "\n".join(f"with op.batch_alter_table({name!r}, recreate='always'):\n    pass" for name in tables())
    migrate(directory=with_another(tmp_path, copies))
    assert content() == before


@pytest.mark.parametrize("fault", ["raise KeyError('half-way')", "op.execute('SELECT * FROM nowhere')"])
def test_one_that_fails_half_way_leaves_everything_as_it_was(fresh, tmp_path, fault):
    migrate()
    fill()
    before = content()
    half = f"op.add_column('contact', sa.Column('odd', sa.Integer()))\nop.execute('DELETE FROM payment')\n{fault}"
    with pytest.raises(Exception, match=r"half-way|nowhere"):
        migrate(directory=with_another(tmp_path, half))
    assert content() == before
    assert "odd" not in columns_of("contact")
    assert db.session.scalar(text("SELECT version_num FROM alembic_version")) == NUMBERED[-1][:4]


@pytest.mark.skipif(ON_SERVERS, reason="PostgreSQL refuses the row itself")
def test_one_that_leaves_rows_which_refer_to_nothing_is_taken_back(fresh, tmp_path):
    migrate()
    fill()
    before = content()
    with pytest.raises(SystemExit):
        migrate(directory=with_another(tmp_path, "op.execute('DELETE FROM booking WHERE id = 1')"))
    assert content() == before


@pytest.mark.skipif(not ON_SERVERS, reason="SQLite has one writer, who is waited for")
def test_one_that_cannot_get_its_lock_gives_up_instead_of_stopping_the_site(fresh, tmp_path):
    migrate()
    impatient = with_another(tmp_path, "op.add_column('contact', sa.Column('odd', sa.Integer()))")
    environment = impatient / "env.py"
    environment.write_text(environment.read_text().replace('LOCK_WAIT = "5s"', 'LOCK_WAIT = "200ms"'))
    url = fresh.config["HDS"].database_url.get_secret_value()
    with psycopg.connect(url) as connection:
        connection.execute("SELECT * FROM contact")
        with pytest.raises(Exception, match="lock timeout"):
            migrate(directory=impatient)
        connection.rollback()
    migrate(directory=impatient)
    assert "odd" in columns_of("contact")
