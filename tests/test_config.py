"""Settings: what is taken, what is refused, and with which words."""

from __future__ import annotations

import warnings
from math import inf, nan
from typing import Any

import attrs
import pytest
from fakes import TOKEN

from ximilar_async._config import (
    DEFAULT_URL,
    Config,
    Limits,
    Retry,
    Service,
    Target,
    Timeout,
    check_token,
    make_base_url,
    make_target,
    make_token,
    service_prefix,
)
from ximilar_async.errors import ConfigError

# --- services -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "prefix"),
    [
        (Service.PHOTOS, "similarity/photos"),
        ("photos", "similarity/photos"),
        ("image_matching", "image_matching"),
        ("image-matching", "image_matching"),
        ("matching", "image_matching"),
        ("products", "similarity/products-new"),
        ("custom", "similarity/custom"),
        ("Fashion", "similarity/fashion-new"),
        ("similarity/fashion-new", "similarity/fashion-new"),
        ("colors", "similarity/colors"),
        ("home_decor", "similarity/homedecor-new"),
        ("homedecor", "similarity/homedecor-new"),
        ("my-cloud/shoes", "my-cloud/shoes"),
        ("/my-cloud/shoes/", "my-cloud/shoes"),
        ("catalogue-2", "catalogue-2"),
        ("photo/", "photo"),
        ("similarity/homedeco-newr", "similarity/homedeco-newr"),
    ],
)
def test_a_service_is_known_by_many_names(service: str, prefix: str) -> None:
    """Constants, short names, the documents' prefixes and private ones all lead to the prefix."""
    assert service_prefix(service) == prefix


def test_every_service_has_its_short_name() -> None:
    """The name of each constant, in any case, is a short name."""
    for service in Service:
        assert service_prefix(service.name) == service_prefix(service.name.lower()) == service.value


@pytest.mark.parametrize(
    ("old", "successor"),
    [
        ("photo/search", Service.PHOTOS),
        ("similarity/products", Service.PRODUCTS),
        ("similarity/fashion", Service.FASHION),
        ("similarity/homedecor", Service.HOME_DECOR),
    ],
)
def test_a_deprecated_prefix_works_and_warns(old: str, successor: Service) -> None:
    """A deprecated prefix is used as it is, and the warning names its successor."""
    with pytest.warns(DeprecationWarning, match=f"Service.{successor.name} ") as caught:
        assert service_prefix(old) == old
    assert len(caught) == 1


def test_current_services_do_not_warn() -> None:
    """No service of the documents' table brings a warning."""
    with warnings.catch_warnings(record=True) as caught:
        for service in Service:
            service_prefix(service)
            service_prefix(service.value)
    assert caught == []


@pytest.mark.parametrize(("misspelt", "meant"), [("fashon", "fashion"), ("product", "products")])
def test_a_misspelt_short_name_is_noticed(misspelt: str, meant: str) -> None:
    """A name that is nearly a service's is no private prefix; the message says which was meant."""
    with pytest.raises(ConfigError, match=rf"'{misspelt}'; did you mean '{meant}'\? known are"):
        service_prefix(misspelt)


@pytest.mark.parametrize(
    "service", ["", "/", "..", "a/../b", "a//b", "a b", "a?b", "a#b", "a%2fb", "a\r\nb", "a\n", "é"]
)
def test_a_prefix_cannot_leave_its_place_in_the_address(service: str) -> None:
    """Nothing that would change host, path or query of the address is a prefix."""
    with pytest.raises(ConfigError, match="no address prefix; known are photos"):
        service_prefix(service)


# --- collections --------------------------------------------------------------------------------


def test_a_target_is_prefix_and_collection() -> None:
    """A target holds the prefix of the service and the id as it was given."""
    assert make_target("shoes-id", "fashion") == Target("similarity/fashion-new", "shoes-id")


@pytest.mark.parametrize("collection_id", [None, "", "  ", 17])
def test_a_collection_not_given_is_named(collection_id: Any) -> None:
    """Without an id the message says where ids come from."""
    with pytest.raises(ConfigError, match="no collection: give the collection's id"):
        make_target(collection_id, "photos")


@pytest.mark.parametrize("collection_id", ["a\r\nx-evil: 1", "a\nb", "a\0b", "a\x7fb", "é", "a\t"])
def test_a_collection_id_cannot_bring_a_header(collection_id: str) -> None:
    """An id that would break out of its header is refused, and shown escaped."""
    with pytest.raises(ConfigError, match="characters that no header can hold") as caught:
        make_target(collection_id, "photos")
    assert "\n" not in str(caught.value)


# --- the address --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://127.0.0.1:8900/", "http://127.0.0.1:8900"),
        (" https://api.ximilar.com ", "https://api.ximilar.com"),
        ("https://cloud.example/ximilar//", "https://cloud.example/ximilar"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_an_address_is_taken_without_what_surrounds_it(given: str, url: str) -> None:
    """Spaces and slashes at the end do not end up in requests."""
    assert make_base_url(given) == url


def test_the_address_comes_from_argument_variable_or_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An argument wins over XIMILAR_URL, which wins over the real service."""
    monkeypatch.setenv("XIMILAR_URL", "http://localhost:1")
    assert make_base_url("http://localhost:2") == "http://localhost:2"
    assert make_base_url(None) == "http://localhost:1"
    monkeypatch.delenv("XIMILAR_URL")
    assert make_base_url(None) == DEFAULT_URL == "https://api.ximilar.com"


@pytest.mark.parametrize(
    "url",
    [
        "api.ximilar.com",
        "//api.ximilar.com",
        "ftp://api.ximilar.com",
        "file:///etc/passwd",
        "https://",
        "https:/api",
        "http://h:99999",
        "http://h:x",
        "http://h:0",
        "http://[::1",
        "http://a b",
        "http://h\r\nx-evil: 1",
        "http://é",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """Anything but http(s) with a host is refused before it is used."""
    with pytest.raises(ConfigError, match=r"is not an address such as 'https://api\.ximilar"):
        make_base_url(url)


@pytest.mark.parametrize("url", ["htp://u:secret@h", "http:/u:secret@h/a", "http://u:secret@h:x"])
def test_a_password_in_what_is_no_address_is_not_shown(url: str) -> None:
    """Whoever mistypes the scheme does not find the password in a log."""
    with pytest.raises(ConfigError, match="is not an address") as caught:
        make_base_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://h?", "http://h/a?b=c", "http://h#", "http://h/#x", "http://u:secret@h"]
)
def test_an_address_has_no_user_query_or_fragment(url: str) -> None:
    """What would swallow the path, or carry a password, is refused without being shown."""
    with pytest.raises(ConfigError, match="no user, no query, no fragment") as caught:
        make_base_url(url)
    assert "secret" not in str(caught.value)


# --- the token ----------------------------------------------------------------------------------


def test_a_token_comes_from_argument_or_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument wins over XIMILAR_TOKEN; spaces and line ends around it do not count."""
    monkeypatch.setenv("XIMILAR_TOKEN", f" {TOKEN}\n")
    assert make_token("other") == "other"
    assert make_token(None) == TOKEN


@pytest.mark.parametrize("value", [None, "", " \n"])
def test_a_missing_token_says_how_to_give_it(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a token the message names the argument and the variable."""
    monkeypatch.delenv("XIMILAR_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("XIMILAR_TOKEN", value)
    with pytest.raises(ConfigError, match=r"no API token: pass token=… or set .* XIMILAR_TOKEN"):
        make_token(None)


@pytest.mark.parametrize("ending", ["\r\nx-evil: 1", "\nx", "\0", "é", "\x7f"])
def test_a_token_cannot_bring_a_header(ending: str) -> None:
    """A token that would break out of its header is refused, and never shown."""
    with pytest.raises(ConfigError, match="characters that no header can hold") as caught:
        check_token(f"{TOKEN}{ending}x")
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("token", [b"bytes", 5, ["t"]])
def test_a_token_of_another_type_is_not_shown(token: Any) -> None:
    """What is no string is refused by its type alone: its value may be the secret."""
    with pytest.raises(ConfigError, match=f"must be a string, not {type(token).__name__}$"):
        make_token(token)


def test_a_provider_is_not_asked_early() -> None:
    """A function is kept as it is until a token is needed."""

    def provider() -> str:
        raise AssertionError("asked too early")

    assert make_token(provider) is provider


def test_a_checked_token_is_a_text_that_no_repr_shows() -> None:
    """Error trackers print the variables of every frame: the token is a text that hides itself."""
    token = check_token(TOKEN)
    assert (token, f"Token {token}") == (TOKEN, f"Token {TOKEN}")
    assert TOKEN not in f"{token!r} {[token]} { ({'token': token}) }"
    assert TOKEN[:8] not in f"{token[:8]!r}"  # some trackers cut before they print


def test_a_config_shows_no_token() -> None:
    """The token is in no repr of the settings."""
    assert TOKEN not in repr(Config(token=TOKEN))


# --- numbers ------------------------------------------------------------------------------------

HUGE = 10**400


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        (Limits, {"concurrency": 0}, "concurrency must be a whole .* least 1, not 0; or 'auto'"),
        (Limits, {"concurrency": -1}, "at least 1, not -1"),
        (Limits, {"concurrency": 2.0}, "not 2.0"),
        (Limits, {"concurrency": True}, "not True"),
        (Limits, {"concurrency": "many"}, "not 'many'"),
        (Limits, {"concurrency": None}, "not None"),
        (Limits, {"rate": 0}, "rate must be above 0, not 0"),
        (Limits, {"rate": -3}, "rate must be above 0, not -3"),
        (Limits, {"rate": nan}, "rate must be a finite number, not nan"),
        (Limits, {"rate": inf}, "rate must be a finite number, not inf"),
        (Limits, {"rate": HUGE}, "rate must be a finite number"),
        (Limits, {"rate": "10"}, "rate must be a finite number, not '10'"),
        (Limits, {"per": 0}, "per must be above 0"),
        (Limits, {"per": inf}, "per must be a finite number"),
        (Limits, {"per": None}, "per must be a finite number, not None"),
        (Retry, {"attempts": 0}, "attempts must be a whole number of at least 1, not 0"),
        (Retry, {"attempts": 1.5}, "not 1.5"),
        (Retry, {"base": -1}, "base must be at least 0, not -1"),
        (Retry, {"base": inf}, "base must be a finite number"),
        (Retry, {"throttled_base": nan}, "throttled_base must be a finite number"),
        (Retry, {"cap": inf}, "cap must be a finite number"),
        (Retry, {"deadline": 0}, "deadline must be above 0"),
        (Retry, {"deadline": nan}, "deadline must be a number, not nan"),
        (Retry, {"longest_hint": -1}, "longest_hint must be at least 0"),
        (Timeout, {"total": 0}, "total must be above 0"),
        (Timeout, {"connect": inf}, "connect must be a finite number"),
        (Timeout, {"sock_connect": True}, "sock_connect must be a finite number, not True"),
        (Timeout, {"sock_read": -inf}, "sock_read must be a finite number"),
    ],
)
def test_a_value_out_of_range_is_named(kind: type, values: dict[str, Any], words: str) -> None:
    """Each setting refuses what cannot work, and says which value of which name."""
    with pytest.raises(ConfigError, match=words):
        kind(**values)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Limits, {"concurrency": "auto", "rate": None}),
        (Limits, {"concurrency": 500, "rate": 0.1, "per": 60}),
        (Retry, {"attempts": 1, "base": 0, "throttled_base": 0, "cap": 0}),
        (Retry, {"deadline": inf, "longest_hint": inf}),
        (Timeout, {"total": None, "connect": None, "sock_connect": None, "sock_read": None}),
        (Timeout, {"total": 0.001}),
    ],
)
def test_values_in_range_are_taken(kind: type, values: dict[str, Any]) -> None:
    """Bounds themselves, no limit, and an endless deadline are good settings."""
    setting = kind(**values)
    assert {name: getattr(setting, name) for name in values} == values


def test_defaults_are_the_promised_ones() -> None:
    """The defaults are those that docs/design.md gives reasons for."""
    assert Limits() == Limits(concurrency="auto", rate=None, per=1.0)
    assert Retry() == Retry(
        attempts=4, base=0.5, throttled_base=1.0, cap=20.0, deadline=60.0, longest_hint=120.0
    )
    assert Timeout() == Timeout(total=120.0, connect=30.0, sock_connect=10.0, sock_read=90.0)


@pytest.mark.parametrize("kind", [Limits, Retry, Timeout])
def test_settings_are_frozen_and_know_their_names(kind: Any) -> None:
    """No setting changes under a client, and a misspelt or nameless one fails at once."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(kind(), attrs.fields(kind)[0].name, 1)
    with pytest.raises(TypeError, match="retires"):
        kind(retires=3)
    with pytest.raises(TypeError, match="positional"):
        kind(3)
