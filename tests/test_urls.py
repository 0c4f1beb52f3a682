"""Which texts are URLs, and what of one is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

import vizschema
from vizschema.cli import main
from vizschema.urls import archive_name, masked, scheme_of, scrubbed


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
    "url", ["ftp://user:secret@host/run.zarr", "zip::https://host/a.zip?secret", "file:///run.zarr"]
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
    ],
)
def test_a_url_that_cannot_be_meant_is_wrong_usage(url: str, words: str) -> None:
    report = vizschema.validate(url)
    assert report.exit_code == 2
    assert words in str(report.error)
    assert "secret" not in str(report.error)


def test_a_missing_backend_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    report = vizschema.validate("s3://bucket/run.zarr")
    assert report.exit_code == 2
    assert "needs fsspec, s3fs: install the extra `remote` (pip install 'vizschema[remote]')" in str(report.error)


def test_wrong_usage_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "run.zarr", "https://me:secret@host/x?sig=secret"]) == 2
    assert "secret" not in capsys.readouterr().err
