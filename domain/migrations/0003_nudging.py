from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("unionhall", "0002_notice_steps")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Notice",
            name="nudged_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
    ]
