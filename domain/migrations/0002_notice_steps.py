from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from domain.notices.models import Step


class Migration(migrations.Migration):
    dependencies = [("unionhall", "0001_initial")]

    initial = False

    operations = [
        ops.CreateModel(
            name="NoticeReached",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("notice_id", fields.UUIDField()),
                (
                    "step",
                    fields.CharEnumField(
                        description="DELIVERED: delivered\nREAD: read\nCONFIRMED: confirmed\nIN_TIME: in_time",
                        enum_type=Step,
                        max_length=9,
                    ),
                ),
                ("union_id", fields.UUIDField()),
            ],
            options={
                "table": "notice_reached",
                "app": "unionhall",
                "unique_together": (("notice_id", "step", "union_id"),),
                "pk_attr": "id",
                "table_description": "A union has come so far: written with the first receipt that proves it, in its transaction.",
            },
            bases=["Model"],
        ),
    ]
