"""The types that options have beside numbers, texts and choices; each refuses in plain words."""

import ipaddress
import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints

from authapp.names import has_control

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LONGEST = timedelta(days=3650)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    text = value.replace(" ", "").lower() if isinstance(value, str) else ""
    parts = re.findall(r"(\d{1,9})([smhdw])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("must be a duration such as 30m, 12h or 30d")
    try:
        duration = sum((timedelta(**{UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
    except OverflowError:
        duration = timedelta.max
    if not timedelta() < duration <= LONGEST:
        raise ValueError("must be longer than nothing and at most 3650d")
    return duration


def duration_text(value: timedelta) -> str:
    """Return a duration as it is written in a config file."""
    seconds = int(value.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


Duration = Annotated[timedelta, BeforeValidator(_duration), PlainSerializer(duration_text)]


def _base_url(value: object) -> object:
    refusal = "must be an address such as https://auth.example.com, without a path"
    if not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError(refusal) from None
    clean = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not clean or port == 0:
        raise ValueError(refusal)
    standard = {"http": ":80", "https": ":443"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(standard)}"


BaseUrl = Annotated[str, BeforeValidator(_base_url)]


def _network(value: object) -> object:
    if isinstance(value, str):
        try:
            return ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise ValueError("must be an IP address or a network such as 10.0.0.0/8") from None
    return value


Cidr = Annotated[Network, BeforeValidator(_network)]


def _database_url(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.startswith("postgres://"):  # what hosting services print; SQLAlchemy knows the long name only
        value = "postgresql://" + value.removeprefix("postgres://")
    if has_control(value) or re.search(r"\s", value.partition("://")[2].partition("/")[0]):
        raise ValueError("must be a database address in one line, without spaces before its path")
    if not re.match(r"(sqlite:///|postgresql(\+psycopg)?://)", value):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    try:
        parts = urlsplit(value)
        good = parts.netloc.count("@") <= 1 and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:  # a driver would repeat pieces of the password in its messages
        raise ValueError("must be a database address; write @ : / in its password as %40 %3A %2F")
    return value


DatabaseUrl = Annotated[str, BeforeValidator(_database_url)]


def _shown(value: str) -> str:
    if has_control(value):
        raise ValueError("must not contain invisible or control characters")
    return value


Name = Annotated[
    str, StringConstraints(strip_whitespace=True), Field(min_length=1, max_length=100), AfterValidator(_shown)
]


def _host(value: str) -> str:
    if not re.fullmatch(r"[\w.:%\[\]-]+", value):
        raise ValueError("must be an IP address or a host name")
    return value


Host = Annotated[str, Field(min_length=1), AfterValidator(_host)]
