from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.kernel.fields import AssignedIntField


class Migration(migrations.Migration):
    dependencies = [("unionhall", "0003_nudging")]

    initial = False

    operations = [
        ops.CreateModel(
            name="NoticeSweep",
            fields=[
                ("id", AssignedIntField(primary_key=True, unique=True, db_index=True)),
                ("swept_to", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "notice_sweep",
                "app": "unionhall",
                "pk_attr": "id",
                "table_description": "One row: how far receipts have been looked at for boards that nobody counted again.",
            },
            bases=["Model"],
        ),
        ops.RemoveIndex(
            model_name="NoticeReceipt",
            name=None,
            fields=["notice_id", "at"],
        ),
        ops.AddIndex(
            model_name="NoticeReceipt",
            index=Index(fields=["at", "notice_id"]),
        ),
    ]
