"""The full-text index on SearchDocument.terms, in the way of each database (memories/search.py)."""

from django.db import migrations

TABLE = "memories_searchdocument"

# An external content table and its triggers, as https://www.sqlite.org/fts5.html#external_content_tables has them:
# whoever writes or deletes a row, a cascade too, keeps the index true.
SQLITE = [
    f"""CREATE VIRTUAL TABLE {TABLE}_fts USING fts5(
        terms, content='{TABLE}', content_rowid='id', tokenize='unicode61 remove_diacritics 0', prefix='2 3')""",
    f"""CREATE TRIGGER {TABLE}_ai AFTER INSERT ON {TABLE} BEGIN
        INSERT INTO {TABLE}_fts (rowid, terms) VALUES (new.id, new.terms); END""",
    f"""CREATE TRIGGER {TABLE}_ad AFTER DELETE ON {TABLE} BEGIN
        INSERT INTO {TABLE}_fts ({TABLE}_fts, rowid, terms) VALUES ('delete', old.id, old.terms); END""",
    f"""CREATE TRIGGER {TABLE}_au AFTER UPDATE ON {TABLE} BEGIN
        INSERT INTO {TABLE}_fts ({TABLE}_fts, rowid, terms) VALUES ('delete', old.id, old.terms);
        INSERT INTO {TABLE}_fts (rowid, terms) VALUES (new.id, new.terms); END""",
]
POSTGRESQL = [f"CREATE INDEX {TABLE}_fts ON {TABLE} USING gin (to_tsvector('simple', terms))"]

SQLITE_BACK = [f"DROP TRIGGER {TABLE}_{when}" for when in ("ai", "ad", "au")] + [f"DROP TABLE {TABLE}_fts"]
POSTGRESQL_BACK = [f"DROP INDEX {TABLE}_fts"]


def run(sqlite, postgresql):
    def operation(apps, schema_editor):
        for statement in {"sqlite": sqlite, "postgresql": postgresql}[schema_editor.connection.vendor]:
            schema_editor.execute(statement)

    return operation


class Migration(migrations.Migration):
    dependencies = [("memories", "0001_initial")]
    operations = [migrations.RunPython(run(SQLITE, POSTGRESQL), run(SQLITE_BACK, POSTGRESQL_BACK))]
