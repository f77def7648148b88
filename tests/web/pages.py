"""What stands on a page, as tests ask about it."""

import html
import re

from tests.cli.commands import INITIAL_PASSWORD
from tests.world import BOB, PASSWORD, Browser, World, elements

LIST = "/admin/users"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
RESULT = re.compile(r"(?<![\w.-])1337(?![\w.-])")  # of {{ 7*191 }}, and no part of an id or token
# Addresses to go back to that are no admin pages of ours.
HOSTILE = [
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "evil",
    "/account",
    "/",
    "",
]


def at(world: World, username: str = BOB) -> str:
    """Return the address of a user's page."""
    return f"{LIST}/{world.user(username).id}"


def browser_called(world: World, user_agent: str, username: str = BOB, **more: str) -> Browser:
    """Return a browser that calls itself so, in which somebody is signed in."""
    browser = world.browser()
    browser.client.environ_base["HTTP_USER_AGENT"] = user_agent
    assert browser.sign_in(username, PASSWORD, **more).status_code == 303
    return browser


def link(page: str, text: str) -> str:
    """Return where a link leads; empty when it is not there."""
    found = re.search(rf'<a href="([^"]+)">{text}</a>', page)
    return html.unescape(found[1]) if found else ""


def field_of(page: str, name: str) -> dict[str, str]:
    """Return a field of a page's form."""
    return next(field for _, field in elements(page, "input") if field.get("name") == name)


def section(page: str, heading: str) -> str:
    """Return a section of the page; empty when it is not there."""
    found = re.search(rf"<section[^>]*>\s*<h2[^>]*>{heading}</h2>.*?</section>", page, re.DOTALL)
    return found[0] if found else ""


def names_on(page: str) -> list[str]:
    """Return the user names of the table of users, from top to bottom."""
    return re.findall(r'<a class="name" href="/admin/users/[^"]+">([^<]+)</a>', page)


def rows_of(page: str) -> list[str]:
    """Return the rows of a page's first table, with their markup."""
    table = page[page.index("<tbody>") : page.index("</tbody>")]
    return re.findall(r"<tr[^>]*>.*?</tr>", table, re.DOTALL)


def cells(page: str) -> list[list[str]]:
    """Return the rows of a page's first table, as texts."""
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows_of(page)]
    return [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in row] for row in found]


def end_of(row: str) -> str:
    """Return the address that ends the session of a row; empty where there is no button."""
    found = re.search(r'action="([^"]+/end)"', row)
    return found[1] if found else ""


def password_on(page: str) -> str:
    """Return the initial password of a page that shows one, once."""
    (found,) = re.findall(rf'<code class="password"[^>]*>({INITIAL_PASSWORD})</code>', page)
    return str(found)


def is_tame(page: str) -> bool:
    """Tell whether nothing that somebody typed became an element, a handler or the result of a template."""
    found = elements(page)
    scripts = [attributes for tag, attributes in found if tag == "script"]
    handlers = [name for _, attributes in found for name in attributes if name.startswith("on")]
    strange = [tag for tag, attributes in found if tag == "b" or attributes.get("src") == "x"]
    return len(scripts) == 1 and not handlers and not strange and not RESULT.search(page)
