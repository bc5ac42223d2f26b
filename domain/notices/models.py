"""Tables of notices (通知). Rows of other slices are named by plain ids.

``notice_version``, ``notice_recipient`` and ``notice_receipt`` are evidence: inserted, never
changed (``domain/migrations/sql/notices.sql``).
"""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from domain.kernel.fields import AssignedIntField
from domain.kernel.ids import new_id
from domain.org.models import Union

TITLE_CHARS_MAX = 120
"""One line on a phone's lock screen and one in a list."""
BODY_CHARS_MAX = 20_000
"""About ten printed pages of Chinese; longer things are documents."""
REASON_CHARS_MAX = 500
"""A paragraph: why it was corrected or withdrawn."""


class NoticeState(StrEnum):
    """Where a notice stands. There are no drafts: what is not sent stays with its writer."""

    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class ReceiptKind(StrEnum):
    """What a receipt (回执) proves, each more than the one before it."""

    DELIVERED = "delivered"
    READ = "read"
    CONFIRMED = "confirmed"


class Notice(Model):
    """One notice. Its words are in its versions."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    publisher: fields.ForeignKeyRelation[Union] = fields.ForeignKeyField(
        "unionhall.Union", related_name="notices", on_delete=fields.OnDelete.RESTRICT
    )
    """The union in whose name it was published."""
    publisher_account_id = fields.UUIDField()
    client_key = fields.UUIDField()
    state = fields.CharEnumField(NoticeState, max_length=9, default=NoticeState.PUBLISHED)
    current_no = fields.IntField(default=1)
    reply_by = fields.DatetimeField(null=True)
    wants_confirmation = fields.BooleanField()
    published_at = fields.DatetimeField()
    nudged_at = fields.DatetimeField(null=True)
    """When those who had not answered were last reminded (催办)."""
    withdrawn_at = fields.DatetimeField(null=True)
    withdrawn_by_account_id = fields.UUIDField(null=True)
    withdrawal_reason = fields.CharField(max_length=REASON_CHARS_MAX, null=True)

    class Meta:
        table = "notice"
        # The constraint, not a check before it, keeps a repeated publish the same notice.
        unique_together = (("publisher_account_id", "client_key"),)
        indexes = (("publisher_id", "id"),)


class NoticeVersion(Model):
    """The words of a notice from ``at`` until the next version's ``at``."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    notice: fields.ForeignKeyRelation[Notice] = fields.ForeignKeyField(
        "unionhall.Notice", related_name="versions", on_delete=fields.OnDelete.RESTRICT
    )
    no = fields.IntField()
    title = fields.CharField(max_length=TITLE_CHARS_MAX)
    body = fields.TextField(description=f"Markdown, at most {BODY_CHARS_MAX} characters")
    at = fields.DatetimeField()
    by_account_id = fields.UUIDField()
    reason = fields.CharField(max_length=REASON_CHARS_MAX, null=True)

    class Meta:
        table = "notice_version"
        unique_together = (("notice_id", "no"),)


class NoticeRecipient(Model):
    """A union that was addressed, with its zone and line of that day: the N of the board."""

    id = fields.BigIntField(primary_key=True)
    notice: fields.ForeignKeyRelation[Notice] = fields.ForeignKeyField(
        "unionhall.Notice", related_name="recipients", on_delete=fields.OnDelete.RESTRICT
    )
    union_id = fields.UUIDField()
    zone_id = fields.UUIDField(null=True)
    line_id = fields.UUIDField(null=True)

    class Meta:
        table = "notice_recipient"
        # The second order is the inbox: ids grow with time, so it is newest-last without a sort.
        unique_together = (("notice_id", "union_id"), ("union_id", "notice_id"))


class NoticeReceipt(Model):
    """Evidence: this officer of this union received, read or confirmed this version at ``at``.

    ``notice_id`` is no foreign key on purpose: its check would lock the one notice row in each of
    10,000 transactions in 10 s. Receipts are inserted by a SELECT from the recipients.
    """

    id = fields.BigIntField(primary_key=True)
    notice_id = fields.UUIDField()
    version_no = fields.IntField()
    union_id = fields.UUIDField()
    account_id = fields.UUIDField()
    kind = fields.CharField(max_length=9)
    at = fields.DatetimeField()
    is_late = fields.BooleanField(default=False)
    """Confirmed after ``reply_by``."""

    class Meta:
        table = "notice_receipt"
        unique_together = (("notice_id", "union_id", "account_id", "kind"),)
        # What came after an instant, and of which notice, without reading a row of the table.
        indexes = (("at", "notice_id"),)


class Step(StrEnum):
    """How far a union has come with a notice, by the receipts of its officers."""

    DELIVERED = "delivered"
    READ = "read"
    CONFIRMED = "confirmed"
    IN_TIME = "in_time"
    """Confirmed by ``reply_by``."""


class NoticeReached(Model):
    """A union has come so far: written with the first receipt that proves it, in its transaction.

    The board counts these rows, so that its cost grows with the unions and not with the receipts.
    Insert-only: whoever finds the row there locks nothing.
    """

    id = fields.BigIntField(primary_key=True)
    notice_id = fields.UUIDField()
    step = fields.CharEnumField(Step, max_length=9)
    union_id = fields.UUIDField()

    class Meta:
        table = "notice_reached"
        unique_together = (("notice_id", "step", "union_id"),)


class NoticeBoard(Model):
    """The counts as last told to the publisher: unions with at least one receipt of a kind."""

    notice: fields.OneToOneRelation[Notice] = fields.OneToOneField(
        "unionhall.Notice",
        primary_key=True,
        related_name="board",
        on_delete=fields.OnDelete.RESTRICT,
    )
    recipients = fields.IntField()
    delivered = fields.IntField(default=0)
    read = fields.IntField(default=0)
    confirmed = fields.IntField(default=0)
    confirmed_late = fields.IntField(default=0)
    flushed_at = fields.DatetimeField()
    """When they were last counted; keeps two processes from doubling."""

    class Meta:
        table = "notice_board"


class NoticeSweep(Model):
    """One row: how far receipts have been looked at for boards that nobody counted again."""

    id = AssignedIntField(primary_key=True)
    swept_to = fields.DatetimeField()
    """What was received a minute before it, the longest that a receipt takes, is on its board."""

    class Meta:
        table = "notice_sweep"
