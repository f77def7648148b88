"""Tools others wrote, pointed at an authapp of our own: hydra, sqlmap, wapiti, ffuf, slowhttptest."""

import json
import re
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from http.client import BAD_REQUEST, HTTPException
from pathlib import Path

from attacks import guessing, tools
from attacks.report import Outcome
from attacks.target import NO_WAITING, errors_logged, requests_logged, target
from tests.server.program import by_token
from tests.server_process import Client, Server
from tests.web.program import API

Judge = Callable[[str], list[str]]


def _attack(outcome: Outcome, server: Server, command: list[str], judge: Judge, *, seconds: float = 120) -> str:
    """Run a tool, and note what it and the server's log say; returns what the tool printed."""
    path = tools.find(command[0])
    if path is None:
        outcome.notes.append(f"left out: {command[0]} is not here (scripts/attack-tools gets it)")
        return ""
    before, errors = len(requests_logged(server)), errors_logged(server)
    with tempfile.TemporaryDirectory() as folder:
        printed, in_time = tools.run([path, *command[1:]], Path(folder), seconds)
        report = Path(folder) / "report.json"
        judged = report.read_text(encoding="utf-8") if report.exists() else printed
    outcome.requests += len(requests_logged(server)) - before
    outcome.errors += errors_logged(server) - errors
    outcome.findings += judge(judged)
    if not in_time:
        outcome.notes.append(f"{command[0]} was stopped after {seconds:.0f} seconds")
    if len(requests_logged(server)) == before:
        outcome.findings.append(f"{command[0]} sent nothing: {printed[-300:]}")
    return printed


# -- hydra ----------------------------------------------------------------------------------------------------


def hydra() -> Outcome:
    """Let hydra guess with HTTP Basic; the right password is the last on its list."""
    outcome = Outcome("hydra, HTTP Basic")
    with target() as server, tempfile.TemporaryDirectory() as folder:
        guessing.add_victim(server, "victim")
        words = Path(folder) / "words"
        words.write_text("\n".join(guessing.words(100)), encoding="utf-8")
        command = ["hydra", "-I", "-t", "4", "-l", "victim", "-P", str(words), "127.0.0.1", "-s", str(server.port)]
        _attack(outcome, server, [*command, "http-get", f"{API}/users/whoami"], _hydra_found)
        found = guessing.guess(server, guessing.by_header, "victim", [])
        outcome.findings += guessing.judge("hydra", found)
        outcome.notes.append(f"{found.checks} passwords were checked, {guessing.ALLOWED} are allowed")
    return outcome


def _hydra_found(printed: str) -> list[str]:
    return re.findall(r"^\[\d+\]\[http-get\].*password:.*$", printed, re.MULTILINE)


# -- sqlmap ---------------------------------------------------------------------------------------------------


def sqlmap() -> Outcome:
    """Let sqlmap look for SQL injection in the sign-in form, and in what the list of users is asked with."""
    outcome = Outcome("sqlmap")
    with target(NO_WAITING) as server:
        common = [
            "--batch",
            "--disable-coloring",
            "--flush-session",
            "--level",
            "2",
            "--risk",
            "2",
        ]
        form = ["-u", f"{server.address}/login?next=/", "--data", "username=ada&password=x&csrf_token=y",
                "-p", "username,password,next", "--csrf-token", "csrf_token", "--csrf-url",
                f"{server.address}/login", "--ignore-code", "400,401,422,429"]  # fmt: skip
        _attack(outcome, server, ["sqlmap", *form, *common], _injections, seconds=90)
        token = by_token(server, scope="admin").headers["X-API-Key"]
        users = f"{server.address}{API}/users?q=ada&sort=username&cursor=x&limit=5"
        listing = ["-u", users, "-p", "q,sort,cursor,limit", "--headers", f"X-API-Key: {token}",
                   "--ignore-code", "400,422"]  # fmt: skip
        _attack(outcome, server, ["sqlmap", *listing, *common], _injections, seconds=90)
    return outcome


def _injections(printed: str) -> list[str]:
    return re.findall(r"^Parameter: .*$|^.*is vulnerable.*$", printed, re.MULTILINE)


# -- wapiti ---------------------------------------------------------------------------------------------------

MODULES = "xss,sql,redirect,csrf,cookieflags,http_headers,csp,crlf,ssrf"
# Where it would sign itself out, and see nothing but the sign-in page from then on.
WAYS_OUT = (
    "/logout",
    "/account/sessions/*",
    "/admin/sessions/*",
    "/admin/users/*/sessions/*",
    "/admin/users/*/active",
)
# What a server without TLS cannot have; the cookie gets Secure and HSTS comes as soon as there is an https address.
WITHOUT_TLS = re.compile(r"Secure flag|Strict-Transport-Security", re.IGNORECASE)


def wapiti() -> Outcome:
    """Let wapiti look at the pages, as nobody and signed in."""
    outcome = Outcome("wapiti")
    with target(NO_WAITING) as server, tempfile.TemporaryDirectory() as folder:
        signed_in = Path(folder) / "cookies.json"
        signed_in.write_text(_as_wapiti_reads(server.signed_in().cookies), encoding="utf-8")
        for who, cookies in (("nobody", []), ("the owner", ["-c", str(signed_in)])):
            command = ["wapiti", "-u", f"{server.address}/", "--scope", "folder", "-m", MODULES, "-f", "json", "-o",
                       "report.json", "--flush-session", "--max-scan-time", "40", "--max-attack-time", "20",
                       "--max-links-per-page", "50", "--no-bugreport",
                       "--endpoint", f"{server.address}/", "--dns-endpoint", "localhost"]  # fmt: skip
            spared = [word for path in WAYS_OUT for word in ("-x", server.address + path)]
            # It writes its report at the end, after the time each of its modules may take.
            _attack(outcome, server, [*command, *spared, *cookies], partial(_vulnerable, who, server), seconds=300)
    return outcome


def _as_wapiti_reads(cookies: dict[str, str]) -> str:
    """Return cookies as wapiti's own file has them; a header would stand beside those that it is given."""
    rest = {"expires": None, "secure": False, "port": None, "version": 0}
    return json.dumps({"127.0.0.1": {"/": {name: {"value": value, **rest} for name, value in cookies.items()}}})


def _vulnerable(who: str, server: Server, report: str) -> list[str]:
    """Return what wapiti reports; what only TLS can give is no finding, nor a form that refuses a wrong token."""
    try:
        kinds = json.loads(report)["vulnerabilities"]
    except (ValueError, KeyError):
        return [f"{who}: wapiti made no report: {report[-300:]}"]
    # It takes two equal answers for a token that nobody checked, also when they are two refusals.
    forged = [one for one in kinds.pop("Cross Site Request Forgery", []) if not _refuses(server, one["path"])]
    every = [(kind, one) for kind, found in {**kinds, "CSRF": forged}.items() for one in found]
    texts = {f"{who}: {kind}: {one['method']} {one['path']}: {one['info']}" for kind, one in every}
    return sorted(text for text in texts if not WITHOUT_TLS.search(text))


def _refuses(server: Server, path: str) -> bool:
    """Tell whether a form does nothing for somebody signed in whose CSRF token is wrong."""
    return server.signed_in().request("POST", path, {"csrf_token": "wrong"}).status == BAD_REQUEST


# -- ffuf -----------------------------------------------------------------------------------------------------

WORDS = """
.env .git/config .git/HEAD .htaccess .svn/entries .well-known/security.txt actuator actuator/env
admin.php api api/ api/v1 api/v2 api/v1/config api/v1/users.json app.py authapp.db backup backup.zip
cgi-bin/ config config.yml config.json console data data/ data/authapp.db data/authapp.db-wal db
debug docs dump.sql env graphql health index.php install login.php logs metrics migrations old
openapi openapi.json phpinfo.php private robots.txt register reset secret server-status setup/
setup.php shell signup swagger swagger-ui sitemap.xml static static/ static/../config.yml status
superuser templates test tmp token tokens trace upload uploads user users v1 version wp-admin
wp-login.php
"""
# The rest of what stands in the route map, so that a neighbour of a real address is tried, too.
ROUTES = """
account admin healthz readyz login logout setup sign-up account/password account/sessions
account/tokens admin/users admin/settings admin/sessions admin/recovery admin/users/new
admin/users/list api/v1/users api/v1/tokens api/v1/audit api/v1/settings api/v1/status api/v1/login
api/v1/logout api/v1/openapi.json api/v1/docs
"""
ENDINGS = (
    "",
    "/",
    ".bak",
    "~",
    ".json",
    "%00",
    "%2f",
    ";x",
    "//",
    "/..;/admin",
    "?debug=1",
    ".php",
    "/.git/config",
)
PUBLIC = {"/login", "/healthz", "/readyz", f"{API}/status"}


def ffuf() -> Outcome:
    """Let ffuf look for addresses: without credentials, only what is public answers with anything."""
    outcome = Outcome("ffuf")
    with target() as server, tempfile.TemporaryDirectory() as folder:
        words = Path(folder) / "words"
        words.write_text("\n".join(word + end for word in (WORDS + " " + ROUTES).split() for end in ENDINGS))
        command = ["ffuf", "-w", str(words), "-u", f"{server.address}/FUZZ", "-mc", "all", "-t", "4", "-of", "json",
                   "-o", "report.json", "-maxtime", "100"]  # fmt: skip
        _attack(outcome, server, command, lambda report: _answered(outcome, report))
    return outcome


def _answered(outcome: Outcome, report: str) -> list[str]:
    """Return which addresses answered a stranger with something they should not."""
    if not report.startswith("{"):
        return [f"ffuf made no report: {report[-300:]}"]
    wrong = []
    for one in json.loads(report)["results"]:
        path = "/" + one["input"]["FUZZ"].partition("?")[0]
        if one["status"] in (303, 308, 400, 401, 404, 405, 503) or path in PUBLIC:
            continue
        outcome.wrong_2xx += one["status"] < 300
        wrong.append(f"{path} answers {one['status']}")
    return wrong


# -- slow clients ---------------------------------------------------------------------------------------------

CONNECTIONS, SLOW_FOR = 200, 30  # slow clients, and for how many seconds
TOO_LATE = 5.0  # seconds; nobody waits longer for a page


def slow() -> Outcome:
    """Let 200 slow clients hold connections, by their headers and by their bodies; others are still served."""
    outcome = Outcome("slowhttptest")
    for kind, what in (("-H", "slow headers"), ("-B", "slow bodies")):
        with target() as server:
            _slow_clients(outcome, server, kind, what)
    return outcome


def _slow_clients(outcome: Outcome, server: Server, kind: str, what: str) -> None:
    person = server.signed_in()
    command = ["slowhttptest", kind, "-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-i", "5", "-l", str(SLOW_FOR),
               "-t", "POST", "-u", f"{server.address}/login", "-p", "5"]  # fmt: skip
    path = tools.find(command[0])
    if path is None:
        outcome.notes.append("left out: slowhttptest is not here (scripts/attack-tools gets it)")
        return
    with tempfile.TemporaryDirectory() as folder:
        attack = threading.Thread(target=tools.run, args=([path, *command[1:]], Path(folder), SLOW_FOR + 30))
        attack.start()
        time.sleep(5)  # until all are connected; nothing tells
        asked = [(page, *_ask(person, page)) for page in ("/healthz", "/account") * 5]
        attack.join()
    outcome.requests += CONNECTIONS + len(asked)
    late = [
        f"{page}: {status or 'no answer'} after {took:.1f} s"
        for page, status, took in asked
        if status != 200 or took > TOO_LATE
    ]
    slowest = max(took for _, _, took in asked)
    outcome.findings += [f"{what}: {one}" for one in sorted(set(late))]
    outcome.notes.append(
        f"{what}: {len(asked) - len(late)} of {len(asked)} answered, the slowest in {slowest:.2f} s"
    )
    outcome.errors += errors_logged(server)


def _ask(person: Client, page: str) -> tuple[int, float]:
    """Open a page; return the status, 0 when there is none, and how many seconds it took."""
    began = time.monotonic()
    try:
        status = person.get(page).status
    except (OSError, HTTPException):
        status = 0
    return status, time.monotonic() - began
