"""The database itself refuses to change or delete a row of the audit record."""

from django.db import migrations

SQLITE = [
    """CREATE TRIGGER audit_never_changed BEFORE UPDATE ON accounts_auditentry
    BEGIN SELECT RAISE(ABORT, 'The audit record is never changed.'); END""",
    """CREATE TRIGGER audit_never_deleted BEFORE DELETE ON accounts_auditentry
    BEGIN SELECT RAISE(ABORT, 'The audit record is never deleted.'); END""",
]
POSTGRESQL = [
    """CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'The audit record is never changed or deleted.'; END $$""",
    """CREATE TRIGGER audit_never_changed BEFORE UPDATE OR DELETE
    ON accounts_auditentry FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
]


def guard(apps, schema_editor):
    statements = {"sqlite": SQLITE, "postgresql": POSTGRESQL}
    for statement in statements[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_heartbeat")]
    operations = [migrations.RunPython(guard, migrations.RunPython.noop)]
