"""Lists of many parents by one statement: the same as one by one, whatever a list calls itself."""

from __future__ import annotations

from domain.kernel.actor import NOBODY
from domain.kernel.listings import Key, Listing, Where
from domain.kernel.many import fetch_counts, fetch_pages
from domain.kernel.pages import PageRequest, Selection


def a_listing(alias: str) -> Listing:
    """Three of the first parent, one of the second, under this name."""
    return Listing(
        f"(VALUES (1, 10), (1, 11), (1, 12), (2, 20)) {alias} (parent, n)",
        {"n": f"{alias}.n"},
        (Key(f"{alias}.n", "n", int),),
    )


async def test_a_list_may_have_any_name_that_a_statement_of_many_parents_might_use(
    database: str,
) -> None:
    for alias in ("k", "p", "a1", "c"):
        listing = a_listing(alias)
        lists = [
            Selection(listing, Where().and_(f"{alias}.parent = {{0}}", parent))
            for parent in (1, 2, 3)
        ]
        pages = await fetch_pages(NOBODY, lists, PageRequest(first=2))

        assert pages is not None
        assert [[row["n"] for row in page.rows] for page in pages] == [[10, 11], [20], []]
        assert [page.has_next for page in pages] == [True, False, False]
        assert await fetch_counts(NOBODY, lists) == [3, 1, 0]
