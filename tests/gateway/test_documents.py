"""The register of trusted documents: filled from a client's folder, and red when one breaks."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from gateway import documents
from gateway.cli import app
from schema.trusted import digest, read_register, write_register

GOOD = "query Here { __typename }"
LATER = "query Later { __typename }"
BROKEN = "query Gone { thereIsNoSuchField }"


def a_client(folder: Path, *texts: str) -> Path:
    """A client's folder as its code generator leaves it."""
    made = folder / "src" / "gql"
    made.mkdir(parents=True, exist_ok=True)
    texts_of = {digest(text): text for text in texts}
    write_register(made / documents.MADE_BY_CODEGEN, texts_of)
    return folder


def test_a_clients_documents_are_registered_once_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "register.json"
    first = documents.register([a_client(tmp_path / "client", GOOD)], path)
    assert (first.added, first.total) == (1, 1)
    assert documents.register([tmp_path / "client"], path).added == 0

    later = documents.register([a_client(tmp_path / "client", LATER)], path)

    assert (later.added, later.total) == (1, 2), "the page that is still open asks the old one"
    assert read_register(path) == {digest(text): text for text in (GOOD, LATER)}


def test_files_of_documents_count_and_built_or_installed_ones_do_not(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "here.graphql").write_text(GOOD + "\n")
    a_client(tmp_path / "node_modules" / "other", LATER)
    assert documents.documents_in(tmp_path) == {digest(GOOD): GOOD}


def test_nothing_is_registered_beside_a_document_that_the_schema_does_not_answer(
    tmp_path: Path,
) -> None:
    path = tmp_path / "register.json"
    done = documents.register([a_client(tmp_path / "client", GOOD, BROKEN)], path)
    assert len(done.misfits) == 1
    assert "thereIsNoSuchField" in next(iter(done.misfits.values()))
    assert not path.exists()


def test_the_check_names_what_is_broken_and_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "register.json"
    write_register(path, {digest(BROKEN): BROKEN})
    told = documents.check([a_client(tmp_path / "client", GOOD)], path)
    assert len(told) == 2
    assert digest(BROKEN)[:16] in told[0]
    assert digest(GOOD)[:16] in told[1]


def test_the_committed_register_holds_what_our_clients_ask_and_the_schema_answers() -> None:
    done = CliRunner().invoke(app, ["documents", "--check"])
    assert done.exit_code == 0, done.output


def test_the_command_fails_where_a_document_is_not_registered(tmp_path: Path) -> None:
    client = a_client(tmp_path, "query NobodyRegisteredMe { __typename }")
    done = CliRunner().invoke(app, ["documents", "--check", str(client)])
    assert done.exit_code == 1
    assert "not registered" in done.output
