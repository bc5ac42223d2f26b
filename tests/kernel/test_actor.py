"""Scope: a grant reaches its union and everything below, in its own hierarchy only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.actor import NOBODY, Actor, Hierarchy, Place, Reach, path_end
from domain.kernel.capabilities import Capability
from domain.kernel.errors import Forbidden, NotFound, Unauthenticated
from domain.kernel.ids import new_id

segments = st.text("0123456789ab", min_size=1, max_size=2)
paths = st.lists(segments, max_size=4).map(lambda parts: "/" + "".join(f"{p}/" for p in parts))


def reaching(path: str, hierarchy: Hierarchy = Hierarchy.TERRITORY) -> Reach:
    return Reach("zone_cadre", frozenset({Capability.ORG_READ}), hierarchy, path, new_id())


@given(paths, paths)
def test_the_range_of_a_path_is_exactly_its_subtree(top: str, path: str) -> None:
    assert (top <= path < path_end(top)) == path.startswith(top)


@given(st.lists(paths, max_size=5), paths)
def test_the_scope_covers_what_any_grant_covers(tops: list[str], path: str) -> None:
    actor = Actor(account_id=new_id(), reaches=tuple(reaching(top) for top in tops))
    scope = actor.scope(Capability.ORG_READ)

    in_scope = any(path.startswith(top) for top in scope.territory)
    assert in_scope == actor.may(Capability.ORG_READ, Place(path))
    assert not any(a != b and a.startswith(b) for a in scope.territory for b in scope.territory), (
        "no range lies inside another"
    )


def test_the_line_and_the_territory_are_apart() -> None:
    actor = Actor(account_id=new_id(), reaches=(reaching("/1/", Hierarchy.LINE),))

    assert actor.may(Capability.ORG_READ, Place("/2/", "/1/5/"))
    assert not actor.may(Capability.ORG_READ, Place("/1/5/", None))
    assert not actor.may(Capability.ORG_READ, Place("/1/5/", "/15/"))


def test_refusals_tell_nobody_from_somebody_but_hide_places() -> None:
    actor = Actor(account_id=new_id(), reaches=(reaching("/1/"),))

    with pytest.raises(Unauthenticated):
        NOBODY.ensure_has(Capability.SELF)
    with pytest.raises(Forbidden):
        actor.ensure_has(Capability.AUDIT_READ)
    with pytest.raises(NotFound):
        actor.ensure_may(Capability.ORG_READ, Place("/2/"))
    actor.ensure_may(Capability.ORG_READ, Place("/1/2/"))
