"""Marked secrets, sent down every road: afterwards each may stand nowhere but in the one place meant for it."""

import json
import re
import secrets
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attacks.report import Outcome
from attacks.target import errors_logged
from tests.server_process import Answer, Client, Server, installation
from tests.web.program import API, basic
from tests.world import ADA


def marked(what: str) -> str:
    """Return a password every policy takes, which cannot stand anywhere by chance."""
    return f"Mark-{secrets.token_hex(12)} {what}"


@dataclass
class Witness(Client):
    """A client that keeps every answer."""

    seen: list[tuple[str, str]] = field(default_factory=list)

    def request(self, method: str, path: str, form: dict[str, str] | None = None) -> Answer:
        """Send a form, and keep the answer."""
        answer = Client.request(self, method, path, form)
        self.keep(f"{method} {path.partition('?')[0]}", answer.headers, answer.text)
        return answer

    def keep(self, request: str, headers: dict[str, str], text: str) -> None:
        """Keep an answer, head and body, under what was asked for."""
        self.seen.append((request, "\n".join([*headers.values(), text])))

    def api(self, method: str, path: str, headers: dict[str, str], body: Any = None) -> Any:
        """Ask the API, and keep the answer; returns its JSON."""
        data = json.dumps(body) if body is not None else None
        sent = {"Connection": "close", **headers, **({"Content-Type": "application/json"} if data else {})}
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            text = answer.read().decode()
            self.keep(f"{method} {path.partition('?')[0]}", dict(answer.headers), text)
        return json.loads(text) if "json" in answer.headers.get("Content-Type", "") else None


@dataclass
class Walk:
    """One walk through every road: what was secret, and which answer alone may show it."""

    server: Server
    witness: Witness
    secrets: dict[str, str] = field(default_factory=dict)
    shown_in: dict[str, str] = field(default_factory=dict)

    def mark(self, what: str) -> str:
        """Return a new marked secret that nothing may show."""
        self.secrets[what] = marked(what)
        return self.secrets[what]

    def made(self, what: str, secret: str, shown_in: str) -> str:
        """Note a secret that authapp made, which one answer may show."""
        self.secrets[what], self.shown_in[what] = secret, shown_in
        return secret


def walk(server: Server) -> Walk:
    """Send secrets down every road of a server whose setup is still open; returns what they were."""
    walked = Walk(server, Witness(server.port))
    owner_password = through_setup(walked)
    through_sign_in(walked, owner_password)
    owner_password = through_password_change(walked, owner_password)
    through_users(walked, owner_password)
    through_tokens(walked, owner_password)
    through_query_strings(walked)
    through_commands(walked)
    through_config(walked)
    return walked


def through_setup(walked: Walk) -> str:
    """Go through the wizard with wrong tokens and a weak password first; returns the owner's password."""
    server, visitor = walked.server, walked.witness
    walked.secrets["setup token"] = server.setup_link.partition("token=")[2]
    visitor.get(f"/setup?token={walked.mark('wrong setup token').replace(' ', '')}")
    visitor.get(server.setup_path)
    visitor.post("/setup", {"username": ADA, "password": walked.mark("weak").lower()})
    visitor.post("/setup/password-check", {"username": ADA, "password": walked.mark("looked at")}, page="/setup")
    password = walked.mark("owner")
    assert visitor.post("/setup", {"username": ADA, "password": password}).status == 303
    return password


def through_sign_in(walked: Walk, password: str) -> None:
    """Sign in on every road, with wrong passwords, and with a password in the field for the name."""
    visitor = walked.witness
    visitor.post("/logout", page="/")
    visitor.sign_in(ADA, walked.mark("wrong"))
    visitor.sign_in(walked.mark("typed as a name"), "x")
    walked.shown_in["typed as a name"] = "POST /login"  # the form is shown again as it was sent
    body = {"username": ADA, "password": walked.mark("wrong JSON")}
    visitor.api("POST", f"{API}/login", {}, body)
    visitor.api("POST", f"{API}/login", {}, {**body, "password": [walked.mark("of the wrong type")]})
    visitor.api("GET", f"{API}/users/whoami", basic(ADA, walked.mark("wrong Basic")))
    visitor.api("GET", f"{API}/users/whoami", {"Authorization": f"Basic {walked.mark('no base64')}"})
    visitor.api("GET", f"{API}/users/whoami", {"Authorization": f"Bearer {walked.mark('no token')}"})
    visitor.api("GET", f"{API}/users/whoami", {"X-API-Key": walked.mark("no API token")})
    visitor.api("POST", f"{API}/{walked.mark('nowhere')[:20]}", {}, {"password": walked.mark("nowhere, JSON")})
    del walked.secrets["nowhere"]  # the address itself is logged, as every address is
    assert visitor.sign_in(ADA, password).status == 303
    visitor.get("/")


def through_password_change(walked: Walk, password: str) -> str:
    """Change the owner's password on the page, wrongly first; returns the new one."""
    visitor, page = walked.witness, "/account/password"
    new = walked.mark("changed")
    wrong = {"current_password": walked.mark("wrong current"), "new_password": walked.mark("not taken")}
    visitor.post(page, wrong)
    visitor.post(page, {"current_password": password, "new_password": walked.secrets["wrong"].lower()[:9]})
    visitor.post("/account/password-check", {"password": walked.mark("looked at again")}, page=page)
    assert visitor.post(page, {"current_password": password, "new_password": new}).status == 303
    return new


def through_users(walked: Walk, password: str) -> None:
    """Make users on the page and by the API, with and without passwords; reset one; sign up."""
    visitor, by = walked.witness, basic(ADA, password)
    visitor.post("/admin/users/new", {"username": "bob", "password": walked.mark("given"), "active": "y"})
    visitor.api("POST", f"{API}/users", by, {"username": "carl", "password": walked.mark("given, API")})
    visitor.api("POST", f"{API}/users", by, {"username": "", "password": walked.mark("refused, API")})
    made = visitor.api("POST", f"{API}/users", by, {"username": "dora", "is_active": True})
    walked.made("initial password", made["initial_password"], f"POST {API}/users")
    reset = f"{API}/users/{made['id']}/reset-password"
    again = visitor.api("POST", reset, by)["initial_password"]
    walked.made("password after a reset", again, f"POST {reset}")
    visitor.api("GET", f"{API}/users/whoami", basic("dora", again))
    Witness(walked.server.port, seen=visitor.seen).sign_in("dora", again)
    visitor.api("PUT", f"{API}/settings/auth.sign-up", by, {"value": True})
    visitor.api("POST", f"{API}/sign-up", {}, {"username": "eve", "password": walked.mark("sign-up")})


def through_tokens(walked: Walk, password: str) -> None:
    """Make a JWT and an API token, and use them."""
    visitor, by = walked.witness, basic(ADA, password)
    jwt = visitor.api("POST", f"{API}/login", {}, {"username": ADA, "password": password})["access_token"]
    walked.made("JWT", jwt, f"POST {API}/login")
    token = visitor.api("POST", f"{API}/tokens", by, {"name": "a program", "scope": "read"})["token"]
    walked.made("API token", token, f"POST {API}/tokens")
    for headers in ({"Authorization": f"Bearer {jwt}"}, {"X-API-Key": token}):
        for path in ("/users/whoami", "/tokens", "/audit", "/settings", "/users", "/sessions"):
            visitor.api("GET", f"{API}{path}", headers)
    for page in ("/account/tokens", "/account/sessions", "/admin", "/admin/users", "/admin/settings"):
        visitor.get(page)


def through_query_strings(walked: Walk) -> None:
    """Put secrets where a form sent with GET puts them."""
    walked.shown_in["query of /"] = "GET /"  # which leads to the sign-in page, and back to the same address
    for path in ("/login", "/setup", "/", f"{API}/users/whoami", "/nowhere"):
        secret = quote(walked.mark(f"query of {path}"))
        Witness(walked.server.port, seen=walked.witness.seen).get(f"{path}?password={secret}")


def through_commands(walked: Walk) -> None:
    """Type a password into the command line, good and bad."""
    for number, typed in enumerate((walked.mark("typed"), walked.mark("weak, typed").lower())):
        done = walked.server.run("user", "add", f"shell-{number}", "--password-stdin", typed=f"{typed}\n")
        walked.witness.seen.append(("authapp user add", done.stdout + done.stderr))


def through_config(walked: Walk) -> None:
    """Let a config file with a mistake in the line of the password be read and explained."""
    server, mistake = walked.server, walked.mark("in a bad file")
    server.write_config(f"server:\n  basic-auth:\n    usernam: '{ADA}'\n    password: '{mistake}\n")
    for command in (("config", "check"), ("config", "show"), ("doctor",)):
        done = server.run(*command)
        walked.witness.seen.append((" ".join(command), done.stdout + done.stderr))
    server.config_file.unlink()


# -- looking for them -----------------------------------------------------------------------------------------


def leaks(walked: Walk) -> list[str]:
    """Return where secrets stand that may not stand there; the secrets themselves are not repeated."""
    found = []
    for place, text in everything(walked):
        for what, secret in walked.secrets.items():
            if any(form in text for form in forms_of(secret)) and not is_meant(walked, what, place):
                found.append(f"{what} stands in {place}")
    return sorted(set(found))


def everything(walked: Walk) -> Iterator[tuple[str, str]]:
    """Yield the answers, the log, every row, and every file, with the name of each."""
    yield from walked.witness.seen
    yield "the log", walked.server.output
    for (table,) in walked.server.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
        yield f"the table {table}", str(walked.server.rows(f"SELECT * FROM {table}"))  # noqa: S608 - its own name
    for file in sorted(walked.server.folder.rglob("*")):
        if file.is_file() and file != walked.server.log:
            yield f"the file {file.relative_to(walked.server.folder)}", file.read_bytes().decode("latin-1")


def forms_of(secret: str) -> set[str]:
    """Return a secret as texts may hold it: as it is, its mark alone, in a URL, in base64, in hexadecimal."""
    mark = re.search(r"[0-9a-f]{24}", secret)
    kept = mark[0] if mark and secret.lower().startswith("mark-") else secret
    header = b64encode(f"{ADA}:{secret}".encode()).decode()
    return {kept, quote(secret), secret.encode().hex(), b64encode(secret.encode()).decode().rstrip("="), header}


def is_meant(walked: Walk, what: str, place: str) -> bool:
    """Tell whether a secret may stand there: in the answer that made it, and a setup link where it is printed."""
    if what == "setup token":
        return place == "the log"
    return walked.shown_in.get(what) == place


def run() -> Outcome:
    """Walk down every road of a fresh server, and look for what was left behind."""
    with tempfile.TemporaryDirectory() as folder, installation(Path(folder)) as server:
        walked = walk(server.start(patience=120))
        found = leaks(walked)
        return Outcome(
            "marked secrets on every road", len(walked.witness.seen), found, errors=errors_logged(server),
            leaks=len(found), notes=[f"{len(walked.secrets)} secrets"],
        )  # fmt: skip
