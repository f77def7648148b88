"""Where signing in may lead: a corpus of return URLs that browsers would take elsewhere."""

import re
from urllib.parse import urljoin, urlsplit

import pytest
from werkzeug.test import create_environ
from werkzeug.utils import redirect

from authapp.web.security import safe_return_url

HOME = "http://localhost"
# Whatever a browser drops before it reads an address, or reads as something else.
SLASHES = [
    "//", "///", "////", "/\\", "\\/", "\\\\", "/\\/", "/\\\\", "\\//", "\\", "/\t/", "/\n/", "/\r/", "/\r\n/",
    "/\x00/",
    "/\x0b/", "/\x0c/", "/\x1f/", "/\x7f/", "/ /", "\t//", "\n//", "\r//", " //", "\x00//", "\x08//", "\x1b//",
    "/\t\\", "\t/\\", "/\\\t", "/%5c", "/%5C", "/%5c/", "%5c/", "/%5c%5c", "/\t\t/", "/\n\n/", "//\t/", "/ \\",
]  # fmt: skip
SCHEMES = [
    "http:", "https:", "http:/", "https:/", "http://", "https://", "http:///", "https:///", "http:\\\\",
    "https:\\/",
    "HTTPS://", "hTTp://", "ht\ttp://", "http\n://", "\x01http://", " https://", "http:////", "http:@", "ftp://",
    "ws://", "wss://", "file://", "view-source:http://", "blob:http://", "filesystem:http://", "about:",
    "feed:http://",
    "jar:http://", "x:", "x://", "//localhost@", "//localhost:80@", "http://localhost@", "http://localhost:pw@",
    "//localhost\\@", "//localhost%40", "//localhost%2f@", "//localhost#@", "//localhost?@", "http://localhost.",
    "//[::1]@", "//0x7f000001@", "//127.0.0.1:80\\@", "http://\uff4c\uff4f\uff43al@",
]  # fmt: skip
SCRIPTS = [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "java\nscript:alert(1)",
    "\x01javascript:alert(1)", " javascript:alert(1)", "javascript\t:alert(1)", "javascript://%0aalert(1)",
    "javascript:/*/alert(1)//", "javascript:%61lert(1)", "data:text/html,<script>alert(1)</script>",
    "data:text/html;base64,PHNjcmlwdD4=", "DATA:,x", "vbscript:msgbox(1)", "mailto:a@evil.example", "tel:1", "intent://x",
]  # fmt: skip
RELATIVE = [
    "evil.example", "evil.example/", "www.evil.example/account", "./", "../", "./account", "../account", "account",
    ".", "..", "?next=/", "#/", ";/", "@evil.example", ":80", ":@evil.example", "*", "%2f%2fevil.example",
    "%2f/evil.example", "%09//evil.example", "\u2028//evil.example", "\ufeff//evil.example", "\u3000//evil.example",
    "\u200b//evil.example", "\uff0f\uff0fevil.example", "\u2044\u2044evil.example", "\u2215evil.example",
    "\u3002evil.example", "\uff0eevil.example", "\uff61", "\uff1a//evil.example", "\ud800",
]  # fmt: skip
PATHS = [
    "/account\r\nSet-Cookie: a=b", "/account\nLocation: //evil.example", "/account\x00", "/account\x7f", "/a b",
    "/\t",
    "/a\\b", "/a%5cb", "/account\\@evil.example", "/?x=\\", "/#\\", "/?x=%5C", "/?x=a b", "/#\x1f",
    "/" + "a" * 2000,
    "/a\t/../..//evil.example",
]  # fmt: skip
HOSTILE = [
    *(f"{start}evil.example" for start in SLASHES),
    *(f"{start}evil.example/%2f.." for start in SCHEMES),
    *SCRIPTS, *RELATIVE, *PATHS, "", " ", "\t", "\x00",
]  # fmt: skip
# These stay here, although they look as if they led away.
HARMLESS = [
    "/", "/account", "/a//evil.example", "/%2fevil.example", "/%2f%2fevil.example", "/%09/evil.example",
    "/@evil.example",
    "/.evil.example", "/./evil.example", "/:80", "/;//evil.example", "/?//evil.example", "/?next=//evil.example",
    "/?next=https://evil.example", "/#//evil.example", "/http://evil.example", "/javascript:alert(1)",
    "/\uff0fevil.example", "/\u2044evil.example", "/\u2215evil.example", "/\u3002evil.example",
    "/%E3%80%82evil.example",
    "/%0d%0aSet-Cookie:a=b", "/\u2028/evil.example", "/\u200b/evil.example",
]  # fmt: skip


def as_a_browser_reads_it(address: str) -> str:
    """Return the origin an address leads to from here, read as the URL standard says."""
    kept = re.sub(r"[\t\n\r]", "", address.strip("".join(map(chr, range(33))))).replace("\\", "/")
    try:
        parts = urlsplit(urljoin(f"{HOME}/login", kept))
    except ValueError:  # no address at all: newer versions of Python look into the brackets
        return HOME
    return f"{parts.scheme}://{parts.netloc}"


def test_the_corpus_is_hostile() -> None:
    """The corpus holds 150 different addresses, most of which a browser would really follow elsewhere."""
    elsewhere = [one for one in HOSTILE if as_a_browser_reads_it(one) != HOME]
    assert len(set(HOSTILE)) == len(HOSTILE) >= 150
    assert len(elsewhere) > 50


@pytest.mark.parametrize("wanted", HOSTILE, ids=ascii)
def test_a_hostile_return_url(wanted: str) -> None:
    """A return URL that is no plain path of this server counts as `/`."""
    assert safe_return_url(wanted) == "/"


@pytest.mark.parametrize("wanted", HARMLESS, ids=ascii)
def test_a_return_url_that_stays_here(wanted: str) -> None:
    """A path that only looks hostile leads to a page of this server, also as the redirect writes it."""
    assert safe_return_url(wanted) == wanted
    location = redirect(wanted, 303).get_wsgi_headers(create_environ())["Location"]
    assert location.isascii()
    assert as_a_browser_reads_it(location) == HOME
