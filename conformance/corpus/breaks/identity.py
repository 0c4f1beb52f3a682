"""Breaks of the rules on the identity of an archive: version, profile, time, software, and whether it is complete."""

from __future__ import annotations

from collections.abc import Iterator

from vizschema.conformance.corpus.breaks.edits import Break, attribute, broken, no_attribute, valid

# A table reads better with a case a line.
# fmt: off


TIMES = {
    "no-offset": "2026-03-08T20:21:03",
    "month-thirteen": "2026-13-08T20:21:03Z",
    "month-zero": "2026-00-08T20:21:03Z",
    "february-thirty": "2026-02-30T20:21:03Z",
    "april-thirty-one": "2026-04-31T20:21:03Z",
    "november-thirty-one": "2026-11-31T20:21:03Z",
    "day-thirty-two": "2026-01-32T20:21:03Z",
    "day-zero": "2026-01-00T20:21:03Z",
    "hour-twenty-four": "2026-03-08T24:21:03Z",
    "minute-sixty": "2026-03-08T20:60:03Z",
    "second-sixty-one": "2026-03-08T20:21:61Z",
    "no-seconds": "2026-03-08T20:21Z",
    "space": "2026-03-08 20:21:03Z",
    "offset-hour-twenty-four": "2026-03-08T20:21:03+24:00",
    "offset-minute-sixty": "2026-03-08T20:21:03+10:60",
    "offset-without-colon": "2026-03-08T20:21:03+1000",
    "empty-fraction": "2026-03-08T20:21:03.Z",
    "comma-fraction": "2026-03-08T20:21:03,5Z",
    "short-year": "26-03-08T20:21:03Z",
    "long-year": "12026-03-08T20:21:03Z",
    "letters-for-year": "202a-03-08T20:21:03Z",
    "letter-in-minute": "2026-03-08T20:2a:03Z",
    "letter-in-second": "2026-03-08T20:21:0aZ",
    "letter-in-hour": "2026-03-08T2a:21:03Z",
    "letter-in-fraction": "2026-03-08T20:21:03.aZ",
    "letter-in-offset": "2026-03-08T20:21:03+0a:00",
    "letter-in-offset-minute": "2026-03-08T20:21:03+01:0a",
    "letter-in-day": "2026-01-1aT20:21:03Z",
    "letter-in-april": "2026-04-1aT20:21:03Z",
    "letter-in-february": "2026-02-1aT20:21:03Z",
    "april-zero": "2026-04-00T20:21:03Z",
    "february-zero": "2026-02-00T20:21:03Z",
    "text-after": "2026-03-08T20:21:03Z and later",
    "text-before": "at 2026-03-08T20:21:03Z",
    "early-hour-letter": "2026-03-08T0a:21:03Z",
    "separator-letter": "2026-03-08X20:21:03Z",
    "zone-letter": "2026-03-08T20:21:03Y",
    "no-sign": "2026-03-08T20:21:03 01:00",
}
GOOD_TIMES = {
    "offset": "2026-11-21T10:00:00+01:00",
    "negative-offset": "2026-11-21T10:00:00-09:30",
    "late-offset": "2026-11-21T10:00:00+23:59",
    "teen-offset": "2026-11-21T10:00:00+14:00",
    "fraction": "2026-11-21T10:00:00.123456Z",
    "lower-case": "2026-11-21t10:00:00z",
    "leap-second": "2016-12-31T23:59:60Z",
    "leap-day": "2028-02-29T00:00:00Z",
    "last-of-january": "2026-01-31T09:05:09Z",
    "april-thirtieth": "2026-04-30T19:45:59Z",
    "june-ninth": "2026-06-09T20:00:00Z",
    "september-tenth": "2026-09-10T20:00:00Z",
    "october-thirtieth": "2026-10-30T20:00:00Z",
    "february-tenth": "2026-02-10T20:00:00Z",
    "february-ninth": "2026-02-09T20:00:00Z",
    "march-twelfth": "2026-03-12T20:00:00Z",
    "may-eighth": "2026-05-08T20:00:00Z",
    "july-eighth": "2026-07-08T20:00:00Z",
    "august-eighth": "2026-08-08T20:00:00Z",
}


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    for name, what in (("spec_version", "the version"), ("profile", "the profile"), ("created_at", "the time"), ("generator", "the software")):
        rule = {"spec_version": "spec-version", "profile": "profile-declared", "created_at": "creation-time", "generator": "generator"}[name]
        yield broken(rule, "trace", "absent", f"The root does not say {what}.", no_attribute("/", name))
        yield broken(rule, "trace", "number", f"A number instead of {what}.", attribute("/", name, 3))
        yield broken(rule, "trace", "boolean", f"A boolean instead of {what}.", attribute("/", name, True))
        yield broken(rule, "trace", "list", f"A list instead of {what}.", attribute("/", name, ["1.0.0", "trace"]))
        yield broken(rule, "trace", "empty", f"An empty text instead of {what}.", attribute("/", name, ""))
    for slug, version in (("short", "1.0"), ("major-two", "2.0.0"), ("with-v", "v1.0.0"), ("later-minor", "1.1.0")):
        yield broken("spec-version", "trace", slug, f"{version} is not a version that this one accepts.", attribute("/", "spec_version", version))
    for slug, name in (("capital", "My_model"), ("space", "my model"), ("digit-first", "2layers"), ("underscore-first", "_model"), ("capital-inside", "gptTwo"), ("hyphen-first", "-model"), ("space-first", " model")):
        yield broken("profile-declared", "trace", slug, f"{name!r} is not a name of a profile.", attribute("/", "profile", name))
    for slug, name in (("of-another", "gpt2"), ("of-a-letter", "x"), ("longer", "trace_two"), ("misspelt", "vitt")):
        yield broken("profile-known", "trace", slug, f"{name!r} is not a profile of this version, so that only trace is judged.", attribute("/", "profile", name))
    for name in ("mnist", "vit", "openfold"):
        yield valid("profile-known", "trace", f"declared-{name}", "It declares another profile of this version, and is judged as a trace.", attribute("/", "profile", name))
    for slug, time in TIMES.items():
        yield broken("creation-time", "trace", slug, f"{time!r} is not an RFC 3339 time with an offset.", attribute("/", "created_at", time))
    for slug, time in GOOD_TIMES.items():
        yield valid("creation-time", "trace", f"valid-{slug}", f"{time!r} is an RFC 3339 time with an offset.", attribute("/", "created_at", time))
    yield valid("generator", "trace", "one-character", "One character names a program.", attribute("/", "generator", "x"))
    yield valid("spec-version", "trace", "attributes-beside", "The root may have attributes of its own beside the version.", attribute("/", "spec_version_note", "first"))
    yield valid("profile-declared", "trace", "metadata-repeats-it", "An attribute of the same name elsewhere declares nothing.", attribute("/metadata", "profile", "My profile"))
    for slug, value in (("false", False), ("text", "true"), ("number", 1), ("list", [True])):
        yield broken("capture-complete", "trace", slug, "The capture does not say that it is complete.", attribute("/", "complete", value))
    yield valid("capture-complete", "trace", "unmarked", "A writer that marks nothing wrote the archive.", no_attribute("/", "complete"))
    yield from _digests()
    yield from _not_captured()


def _digests() -> Iterator[Break]:
    sha = "sha256:" + "0123456789abcdef" * 4
    for name in ("spec_digest", "profile_digest"):
        slug = name.replace("_", "-")
        for kind, value in (("bare", sha[7:]), ("short", sha[:-1]), ("capitals", sha.upper()), ("other-hash", sha.replace("256", "512")), ("before", f"a{sha}"), ("behind", f"{sha}a"), ("not-hex", f"sha256:{'x' * 64}"), ("number", 256), ("null", None), ("empty", "")):
            yield broken("digest-attributes", "trace", f"{slug}-{kind}", f"{name} is {value!r}.", attribute("/", name, value))
        yield valid("digest-attributes", "trace", f"{slug}-elsewhere", f"Only the root has a {name}.", attribute("/metadata", name, "unknown"))
    for kind, other in (("empty", ""), ("number", 1), ("list", ["https://example.org/gpt.toml"])):
        yield broken("digest-attributes", "trace", f"profile-url-{kind}", f"profile_url is {other!r}.", attribute("/", "profile_url", other))
    yield valid("digest-attributes", "trace", "profile-url-letter", "A profile beside the archive.", attribute("/", "profile_url", "p"))
    yield valid("digest-attributes", "trace", "profile-url", "A profile may be anywhere.", attribute("/", "profile_url", "https://example.org/gpt.toml"))


ABSENT = "/inputs/images: the model reads tokens"


def _not_captured() -> Iterator[Break]:
    for slug, value in (
        ("text", ABSENT),
        ("no-reason", ["/inputs/images"]),
        ("empty-reason", ["/inputs/images: "]),
        ("no-space", ["/inputs/images:why"]),
        ("relative", ["inputs/images: why"]),
        ("capital", ["/inputs/Images: why"]),
        ("number", 3),
        ("numbers", [3]),
        ("trailing-slash", ["/inputs/: why"]),
        ("root", ["/: why"]),
    ):
        also = {"root": ("not-captured-absent",)}.get(slug, ("declared-absence",) if slug in ("capital", "trailing-slash") else ())
        yield broken("not-captured", "trace", slug, f"{value!r} is not a list of paths with reasons.", attribute("/", "not_captured", value), also=also)
    yield broken("not-captured", "trace", "twice", "One path and reason twice.", attribute("/", "not_captured", [ABSENT, ABSENT]), also=("declared-absence",))
    yield valid("not-captured", "trace", "none", "Everything was captured.", attribute("/", "not_captured", []))
    yield valid("not-captured", "trace", "elsewhere", "Only the root declares it.", attribute("/metadata", "not_captured", "nothing"))
    yield broken("not-captured-absent", "trace", "array", "An array is there, and is declared as not captured.", attribute("/", "not_captured", ["/activations/layer_00: too large"]))
    yield broken("not-captured-absent", "trace", "group", "A group is there, and is declared as not captured.", attribute("/", "not_captured", ["/attention: fused kernels return none"]))
    yield broken("declared-absence", "trace", "array", "An array is declared as not captured.", attribute("/", "not_captured", [ABSENT]))
    yield broken("declared-absence", "trace", "group", "A group is declared as not captured.", attribute("/", "not_captured", ["/outputs: the run was stopped early"]))
    yield valid("declared-absence", "trace", "none", "Everything was captured.", attribute("/", "not_captured", []))
    yield valid("not-captured-absent", "trace", "in-metadata", "Only the root declares it.", attribute("/metadata", "not_captured", ["/activations: too large"]))
