"""Which texts are URLs, and what of one is shown."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

import vizschema
from vizschema.cli import progress
from vizschema.cli.main import main
from vizschema.containers import by_url
from vizschema.containers.remote.store import Timeouts
from vizschema.report import FORMATS
from vizschema.text import archive_name, masked, scheme_of, scrubbed


@pytest.mark.parametrize(
    ("path", "scheme"),
    [
        ("s3://bucket/run.zarr", "s3"),
        ("HTTPS://host/run.zarr", "https"),
        ("zip::https://host/run.zip", "zip::https"),
        ("run.zarr", None),
        ("/data/s3:/run.zarr", None),
        ("C:\\run.zarr", None),
        ("://x", None),
    ],
)
def test_a_url_begins_with_a_scheme(path: str, scheme: str | None) -> None:
    assert scheme_of(path) == scheme


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/run.zarr", "s3://bucket/run.zarr"),
        ("https://host:8443/a/run.zarr", "https://host:8443/a/run.zarr"),
        ("https://[::1]:80/run.zarr", "https://[::1]:80/run.zarr"),
        ("https://user:secret@host/run.zarr", "https://***@host/run.zarr"),
        ("https://secret@host/run.zarr", "https://***@host/run.zarr"),
        ("https://user:se@cret@host/run.zarr", "https://***@host/run.zarr"),
        ("https://user:secret/with/slash@host/run.zarr", "https://***host/run.zarr"),
        ("https://user:secret?more@host/run.zarr", "https://***?***"),
        ("https://host/run.zarr?X-Amz-Signature=secret", "https://host/run.zarr?***"),
        ("https://host/run.zarr?a=1#secret", "https://host/run.zarr?***#***"),
        ("https://host/run.zarr#secret", "https://host/run.zarr#***"),
        ("s3://key:secret@bucket/run.zarr", "s3://***@bucket/run.zarr"),
        ("run.zarr?not=secret", "run.zarr?not=secret"),
    ],
)
def test_user_query_and_fragment_are_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_urls_within_a_text_are_masked() -> None:
    said = "GET 'https://me:secret@host/a?sig=secret' failed, s3://bucket/a did not"
    assert scrubbed(said) == "GET 'https://***@host/a?***' failed, s3://bucket/a did not"


def test_a_path_is_called_what_it_is() -> None:
    assert archive_name(Path("runs/a.zarr")) == "runs/a.zarr"


@pytest.mark.parametrize(
    "url", ["ftp://user:secret@host/run.zarr", "zip::https://host/a.zip?secret", "file://host/run.zarr"]
)
def test_other_schemes_are_wrong_usage(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = vizschema.validate(url)
    assert report.exit_code == 2
    assert "expected a path or a URL with s3://" in str(report.error)
    assert main(["describe", url]) == 2
    assert "secret" not in str(report.error) + report.archive + capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://", "names no host"),
        ("s3:///run.zarr", "names no bucket"),
        ("s3://key:secret@bucket/run.zarr", "credentials in a URL of s3:// are not used"),
        (
            "az://container/run.zarr",
            "run.zarr: names no storage account: set AZURE_STORAGE_ACCOUNT_NAME",
        ),
    ],
)
def test_a_url_that_cannot_be_meant_is_wrong_usage(url: str, words: str) -> None:
    report = vizschema.validate(url)
    assert report.exit_code == 2
    assert words in str(report.error)
    assert "secret" not in str(report.error)


def test_a_missing_backend_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vizschema.errors._is_installed", lambda _: False)
    report = vizschema.validate("s3://bucket/run.zarr")
    assert report.exit_code == 2
    said = str(report.error)
    assert "expected the packages aiohttp, fsspec, obstore, found none; install the extra `remote`" in said
    assert "(in a copy of the repository: pip install '.[remote]')" in said


def test_wrong_usage_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "run.zarr", "https://me:secret@host/x?sig=secret"]) == 2
    assert "secret" not in capsys.readouterr().err


class TestNothingSecretIsShown:
    """Wherever a URL may come out again."""

    URL = "http://me:secret@127.0.0.1:9/run.zarr?sig=secret#secret"

    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One try is enough: nobody listens there."""
        connect = by_url.connect
        monkeypatch.setattr(by_url, "connect", lambda url, *_: connect(url, Timeouts(tries=1)))

    @pytest.mark.parametrize("form", FORMATS)
    def test_in_no_report(self, form: str, capsys: pytest.CaptureFixture[str]) -> None:
        main(["validate", "--trust", "--format", form, self.URL])
        said = capsys.readouterr()
        assert "***@127.0.0.1:9/run.zarr?***" in said.out.replace("&#x2A;", "*").replace("&#42;", "*")
        assert "secret" not in said.out + said.err

    @pytest.mark.parametrize("command", [["describe"], ["describe", "--trust"], ["digest"], ["validate"]])
    def test_by_no_command(self, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*command, self.URL]) == 3
        said = capsys.readouterr()
        assert "127.0.0.1:9/run.zarr" in said.out + said.err
        assert "secret" not in said.out + said.err

    def test_by_no_exception(self) -> None:
        with pytest.raises(vizschema.NotAnArchive) as caught:
            vizschema.describe(self.URL)
        assert "secret" not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None

    def test_in_no_report_of_a_bug(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        def fails(url: str, *_: object) -> None:
            raise RuntimeError(f"cannot read {url}")

        monkeypatch.setenv("VIZSCHEMA_DEBUG", "1")
        monkeypatch.setattr(by_url, "connect", fails)
        assert main(["validate", "--trust", self.URL]) == 70
        said = capsys.readouterr()
        assert "internal error: RuntimeError: cannot read http://***@127.0.0.1:9/run.zarr?***" in said.out
        assert "Traceback" in said.err
        assert "secret" not in said.out + said.err

    def test_on_no_terminal(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setattr(progress, "watched", lambda: True)
        monkeypatch.setenv("FORCE_COLOR", "1")
        with progress.bar(self.URL) as begin:
            assert begin is not None
            begin(10)(5)
        said = capsys.readouterr().err
        assert "***@127.0.0.1" in said
        assert "secret" not in said

    def test_where_nothing_is_written(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["example", "trace", self.URL, "--container", "zarr-v3"]) == 2
        said = capsys.readouterr().err
        assert "cannot write to a URL; write a local archive and upload it" in said
        assert "secret" not in said
