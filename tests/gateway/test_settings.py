"""Settings are read once, explained, and refused where they would be insecure."""

from __future__ import annotations

import dataclasses

import pytest

from gateway.setting_checks import checked, explain, typos
from gateway.setting_values import BadSettings
from gateway.settings import Settings, load
from gateway.wiring import live_settings
from realtime.bounds import LiveSettings

FIT = {
    "UNIONHALL_PROFILE": "production",
    "UNIONHALL_DATABASE_URL": "postgresql://hall:n2Xk9-vQ@db.internal/hall",
    "UNIONHALL_ROOT_KEY_FILE": "/etc/unionhall/root.key",
    "UNIONHALL_PUBLIC_URL": "https://hall.example",
}


def variables_refused(environ: dict[str, str]) -> list[str]:
    with pytest.raises(BadSettings) as refused:
        checked(environ)
    return [problem.variable for problem in refused.value.problems]


def test_nothing_given_is_a_development_on_this_machine() -> None:
    settings = checked({})

    assert (settings.host, settings.port, settings.is_production) == ("127.0.0.1", 8000, False)
    assert settings.origins == {"http://127.0.0.1:8000", "http://localhost:8000"}


def test_the_operator_says_how_many_sockets_may_be_open() -> None:
    wanted = {"UNIONHALL_SOCKETS_MAX": "50", "UNIONHALL_SOCKETS_PENDING_PER_CLIENT_MAX": "20"}

    live = live_settings(load(wanted))

    assert live == LiveSettings(connections_max=50, pending_per_client_max=20)
    assert live_settings(load({})) == LiveSettings()


def test_a_fit_production_is_accepted() -> None:
    settings = checked(FIT)

    assert settings.is_production
    assert settings.origins == {"https://hall.example"}


@pytest.mark.parametrize(
    ("change", "variable"),
    [
        ({"UNIONHALL_DEBUG": "on"}, "UNIONHALL_DEBUG"),
        ({"UNIONHALL_DATABASE_URL": ""}, "UNIONHALL_DATABASE_URL"),
        ({"UNIONHALL_DATABASE_URL": "postgresql://u:postgres@h/d"}, "UNIONHALL_DATABASE_URL"),
        ({"UNIONHALL_DATABASE_URL": "postgresql://hall:hall@h/d"}, "UNIONHALL_DATABASE_URL"),
        ({"UNIONHALL_ROOT_KEY_FILE": ""}, "UNIONHALL_ROOT_KEY_FILE"),
        ({"UNIONHALL_ROOT_KEY_FILE": "", "UNIONHALL_ROOT_KEY": "x"}, "UNIONHALL_ROOT_KEY"),
        ({"UNIONHALL_PUBLIC_URL": ""}, "UNIONHALL_PUBLIC_URL"),
        ({"UNIONHALL_PUBLIC_URL": "http://hall.example"}, "UNIONHALL_PUBLIC_URL"),
        ({"UNIONHALL_ALLOWED_ORIGINS": "http://a.example"}, "UNIONHALL_ALLOWED_ORIGINS"),
        ({"UNIONHALL_ALLOWED_ORIGINS": "*"}, "UNIONHALL_ALLOWED_ORIGINS"),
        ({"UNIONHALL_OPERATOR_TOKEN": "short"}, "UNIONHALL_OPERATOR_TOKEN"),
        ({"UNIONHALL_OPERATOR_TOKEN": "a" * 40}, "UNIONHALL_OPERATOR_TOKEN"),
        ({"UNIONHALL_DATABSE_URL": "x"}, "UNIONHALL_DATABSE_URL"),
    ],
)
def test_production_refuses_what_is_insecure(change: dict[str, str], variable: str) -> None:
    assert variables_refused(FIT | change) == [variable]


def test_every_problem_is_named_at_once_and_no_secret_is_shown() -> None:
    environ = {"PORT": "0", "UNIONHALL_LOG_LEVEL": "loud", "UNIONHALL_DATABASE_URL": "my:secret@x"}
    with pytest.raises(BadSettings) as refused:
        checked(environ)

    assert [p.variable for p in refused.value.problems] == [
        "PORT",
        "UNIONHALL_DATABASE_URL",
        "UNIONHALL_LOG_LEVEL",
    ]
    assert "secret@" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        *(("PORT", text) for text in ("-1", "65536", "８０００", "8000.0", "9" * 99)),
        *(("UNIONHALL_PUBLIC_URL", text) for text in ("hall.example", "https://a/b", "https://")),
        ("UNIONHALL_REDIS_URL", "http://127.0.0.1"),
        ("UNIONHALL_DATABASE_URL", "postgresql://h:port/d"),
        ("UNIONHALL_DEBUG", "maybe"),
        ("UNIONHALL_PROFILE", "prod"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(variable: str, text: str) -> None:
    assert variables_refused({variable: text}) == [variable]


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        (
            {"UNIONHALL_DATABASE_POOL_MIN": "9", "UNIONHALL_DATABASE_POOL_MAX": "3"},
            "UNIONHALL_DATABASE_POOL_MIN",
        ),
        (
            {"UNIONHALL_ROOT_KEY": "x", "UNIONHALL_ROOT_KEY_FILE": "/k"},
            "UNIONHALL_ROOT_KEY",
        ),
    ],
)
def test_contradictions_are_refused_anywhere(environ: dict[str, str], variable: str) -> None:
    assert variables_refused(environ) == [variable]


def test_a_misspelt_variable_is_named_with_what_was_probably_meant() -> None:
    (typo,) = typos({"UNIONHALL_PROFLE": "production", "UNIONHALL_TEST_REDIS_URL": "x"})

    assert typo.variable == "UNIONHALL_PROFLE"
    assert "UNIONHALL_PROFILE" in typo.remedy


def test_every_setting_is_explained_and_no_secret_is_shown() -> None:
    rows = {
        row.variable: row for row in explain(load(FIT | {"UNIONHALL_OPERATOR_TOKEN": "s3cret"}))
    }

    assert len(rows) == len(dataclasses.fields(Settings))
    assert all(row.means for row in rows.values())
    assert rows["UNIONHALL_DATABASE_URL"].value == "postgresql://hall@db.internal/hall"
    assert rows["UNIONHALL_OPERATOR_TOKEN"].value == "(given)"
    assert rows["PORT"].is_default
    assert not rows["UNIONHALL_PROFILE"].is_default


def test_a_bound_on_sockets_says_what_happens_above_it_and_whom_it_may_meet() -> None:
    means = {row.variable: row.means for row in explain(load({}))}

    assert "503" in means["UNIONHALL_SOCKETS_MAX"]
    pending = means["UNIONHALL_SOCKETS_PENDING_PER_CLIENT_MAX"]
    assert all(word in pending for word in ("503", "NAT", "UNIONHALL_TRUSTED_PROXIES"))


def test_settings_cannot_change() -> None:
    settings = load({})
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]  # that is what is tried
