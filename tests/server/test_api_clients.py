"""The API as programs really use it: curl, httpx, requests, and bytes that no library would send."""

import json
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product

import httpx
import pytest
import requests
from requests.auth import HTTPBasicAuth

from tests.server.program import Program, by_basic, by_jwt, by_token, exchange, statuses, written
from tests.server_process import Server, installation
from tests.web.program import API, basic
from tests.world import ADA, PASSWORD, at_once

pytestmark = pytest.mark.xdist_group("server-api-clients")
ZOE, ZOES_PASSWORD = "zoë@münchen.example", "Schlüssel: 鍵 🗝 für alle"
GOOD, WRONG = basic()["Authorization"], basic(password="not it at all")["Authorization"]
CLOSE = "Connection: close"
JSON = "Content-Type: application/json"
LOGIN = json.dumps({"username": ADA, "password": PASSWORD})
NOT_UTF8, WITH_NUL = (b64encode(text).decode() for text in (b"ad\xe9:secret", b"ada:sec\0ret"))
# None of these is a user name and password that is right.
MALFORMED = {
    "nothing": "",
    "a scheme alone": "Basic",
    "a scheme and a space": "Basic ",
    "no space after the scheme": GOOD.replace(" ", ""),
    "rubbish": "rubbish",
    "no base64": "Basic %%%%",
    "no padding": "Basic YTpi" + "Yg",
    "no colon": f"Basic {b64encode(b'ada').decode()}",
    "not UTF-8": f"Basic {NOT_UTF8}",
    "a NUL": f"Basic {WITH_NUL}",
    "no ASCII": "Basic äöü",
    "two in one": f"{GOOD}, {GOOD}",
    "very long": "Basic " + "QUFB" * 5000,
    "another scheme": "Digest username=ada",
    "a bearer of nothing": "Bearer",
    "a bearer of rubbish": "Bearer a.b.c",
    "a wrong password": WRONG,
}
Send = Callable[[str, Mapping[str, str]], int]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server that Ada has set up, where nobody has to wait after wrong passwords."""
    with installation(tmp_path_factory.mktemp("clients")) as server:
        server.write_config("throttle: {attempts: 1000, account-attempts: 10000, network-attempts: 10000}\n")
        server.start().set_up()
        yield server


@pytest.fixture(scope="module")
def zoe(shared: Server) -> str:
    """Somebody whose name and password are written with other letters than A to Z; the name."""
    body = {"username": ZOE, "password": ZOES_PASSWORD, "is_active": True}
    by_basic(shared).done("POST", "/users", body)
    return ZOE


def curl(*arguments: str, typed: str = "") -> str:
    """Run curl, and return what it prints."""
    command = ["curl", "--disable", "--silent", "--show-error", "--max-time", "60", *arguments]
    return subprocess.run(command, input=typed, capture_output=True, text=True, check=True).stdout


def status_of(server: Server, *arguments: str, path: str = "/users/whoami", typed: str = "") -> str:
    """Ask with curl, and return the status of the last answer."""
    return curl("-o", "-", "-w", "\n%{http_code}", *arguments, server.address + API + path, typed=typed)[-3:]


# -- libraries ------------------------------------------------------------------------------------------------


def with_curl(url: str, headers: Mapping[str, str]) -> int:
    """Ask with curl."""
    sent = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    return int(curl("-o", "-", "-w", "\n%{http_code}", *sent, url)[-3:])


def with_httpx(url: str, headers: Mapping[str, str]) -> int:
    """Ask with httpx."""
    return httpx.get(url, headers=headers).status_code


def with_requests(url: str, headers: Mapping[str, str]) -> int:
    """Ask with requests."""
    return requests.get(url, headers=headers, timeout=60).status_code


@pytest.mark.parametrize("send", [pytest.param(with_curl, marks=pytest.mark.curl), with_httpx, with_requests])
@pytest.mark.parametrize("credential", [by_basic, by_jwt, by_token])
def test_every_library_with_every_credential(
    shared: Server, send: Send, credential: Callable[[Server], Program]
) -> None:
    """What is right is taken from every library, and what is wrong by one letter is not."""
    ((name, value),) = credential(shared).headers.items()
    url = f"{shared.address}{API}/users/whoami"
    wrong = value[:-9] + ("A" if value[-9] != "A" else "B") + value[-8:]
    assert [send(url, {name: sent}) for sent in (value, wrong, value)] == [200, 401, 200]


@pytest.mark.parametrize(
    "ask",
    [
        partial(httpx.get, auth=httpx.BasicAuth(ADA, PASSWORD)),
        partial(requests.get, auth=(ADA, PASSWORD), timeout=60),
    ],
    ids=["httpx", "requests"],
)
def test_a_librarys_own_basic(shared: Server, ask: Callable[[str], httpx.Response | requests.Response]) -> None:
    """The way in which a library itself sends a user name and password works."""
    assert ask(f"{shared.address}{API}/users/whoami").json()["username"] == ADA


@pytest.mark.curl
def test_names_and_passwords_in_every_script(shared: Server, zoe: str) -> None:
    """Curl sends a user name and password in UTF-8 as they are typed, and they are right."""
    answer = curl("-u", f"{zoe}:{ZOES_PASSWORD}", f"{shared.address}{API}/users/whoami")
    assert json.loads(answer)["username"] == ZOE
    assert status_of(shared, "-u", f"{zoe}:{ZOES_PASSWORD}x") == "401"


def test_other_letters_with_the_libraries(shared: Server, zoe: str) -> None:
    """Httpx sends UTF-8 by itself, requests does when it is given bytes."""
    url, password = f"{shared.address}{API}/users/whoami", ZOES_PASSWORD.encode()
    assert httpx.get(url, auth=httpx.BasicAuth(zoe, password)).status_code == 200
    assert requests.get(url, auth=HTTPBasicAuth(zoe.encode(), password), timeout=60).status_code == 200


@pytest.mark.curl
def test_a_program_that_waits_to_be_asked(shared: Server) -> None:
    """A program that sends its password only when it is asked for HTTP Basic is asked, and gets in."""
    assert status_of(shared, "--anyauth", "-u", f"{ADA}:{PASSWORD}") == "200"
    assert status_of(shared, "--anyauth", "-u", f"{ADA}:wrong") == "401"


# -- headers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_credential(shared: Server, sent: str) -> None:
    """Whatever stands in the header and is not right is a problem with the status 401."""
    answer = exchange(shared, written(shared, f"Authorization: {sent}", CLOSE))
    assert statuses(answer) == [401]
    assert b"content-type: application/problem+json\r\n" in answer


def test_two_headers(shared: Server) -> None:
    """Two headers are never good, whatever each of them says and whichever comes first."""
    some = [GOOD, *MALFORMED.values()]
    found = {}
    for one, other in product(some, some):
        lines = [f"Authorization: {one}", f"Authorization: {other}", CLOSE]
        found[one, other] = statuses(exchange(shared, written(shared, *lines)))
    # Two long ones are too large together, and nobody looks at them.
    assert {pair: status for pair, status in found.items() if status not in ([401], [431])} == {}


def test_a_page_with_two_headers(shared: Server) -> None:
    """A page opens for no two headers either."""
    page = f"GET /account HTTP/1.1\r\nHost: 127.0.0.1:{shared.port}\r\n{CLOSE}\r\n"
    for one, other in [(GOOD, WRONG), (WRONG, GOOD), (GOOD, GOOD), (GOOD, "Basic")]:
        sent = f"{page}Authorization: {one}\r\nAuthorization: {other}\r\n\r\n"
        assert statuses(exchange(shared, sent.encode())) == [401]


def test_two_api_keys(shared: Server) -> None:
    """Two API tokens are never good, and a header with credentials counts instead of one."""
    ((_, token),) = by_token(shared).headers.items()
    key = f"X-API-Key: {token}"
    assert statuses(exchange(shared, written(shared, key, CLOSE))) == [200]
    for lines in [(key, key), (key, "X-API-Key: x"), ("X-API-Key: x", key), (key, f"Authorization: {WRONG}")]:
        assert statuses(exchange(shared, written(shared, *lines, CLOSE))) == [401]


# -- connections and bodies -----------------------------------------------------------------------------------


def test_head(shared: Server) -> None:
    """HEAD is answered as GET is, without the body."""
    for sent, status in ((GOOD, 200), (WRONG, 401)):
        got, head = (
            exchange(shared, written(shared, f"Authorization: {sent}", CLOSE, method=method)).partition(b"\r\n\r\n")
            for method in ("GET", "HEAD")
        )
        assert (statuses(head[0]), head[2]) == ([status], b"")
        assert f"content-length: {len(got[2])}".encode() in head[0]


def test_each_request_of_a_connection_is_judged_by_itself(shared: Server) -> None:
    """On one connection, whoever proved nothing with a request is nobody, whatever came before."""
    good, wrong = f"Authorization: {GOOD}", f"Authorization: {WRONG}"
    headers: list[list[str]] = [[good], [wrong], [good], [], [CLOSE]]
    answer = exchange(shared, *(written(shared, *lines) for lines in headers))
    assert statuses(answer) == [200, 401, 200, 401, 401]


def test_what_a_refused_request_leaves_behind(shared: Server) -> None:
    """The body of a request that is refused is never read as a request of its own."""
    hidden = written(shared, f"Authorization: {GOOD}").decode()
    lines = [f"Authorization: {WRONG}", JSON, f"Content-Length: {len(hidden)}"]
    refused = written(shared, *lines, method="POST", path="/users", body=hidden)
    assert statuses(exchange(shared, refused, written(shared, CLOSE))) == [401, 401]


def chunks(text: str) -> Iterator[bytes]:
    """Yield a text in pieces of a few bytes."""
    yield from (text.encode()[start : start + 7] for start in range(0, len(text.encode()), 7))


def test_chunked_bodies(shared: Server) -> None:
    """A body whose length nobody says beforehand is read like any other."""
    url = f"{shared.address}{API}/login"
    kind = {"Content-Type": "application/json"}
    assert httpx.post(url, content=chunks(LOGIN), headers=kind).status_code == 200
    assert requests.post(url, data=chunks(LOGIN), headers=kind, timeout=60).status_code == 200


@pytest.mark.curl
def test_a_chunked_body_from_curl(shared: Server) -> None:
    """So is one that curl reads from a pipe."""
    chunked = ["-H", "Transfer-Encoding: chunked", "-H", JSON, "-d", "@-"]
    assert status_of(shared, *chunked, path="/login", typed=LOGIN) == "200"


def test_a_chunked_body_that_is_no_json(shared: Server) -> None:
    """A body without a length has to say that it is JSON, too."""
    url = f"{shared.address}{API}/login"
    answer = httpx.post(url, content=chunks(LOGIN), headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.headers["content-type"]) == (415, "application/problem+json")


@pytest.mark.curl
def test_a_program_that_asks_before_it_sends(shared: Server) -> None:
    """Whoever waits to be told to go on with a body is told so, and answered."""
    waits = ["-H", "Expect: 100-continue", "-H", JSON, "-d", LOGIN]
    answer = curl("--include", "--expect100-timeout", "50", *waits, f"{shared.address}{API}/login")
    assert statuses(answer.encode()) == [100, 200]


# -- a cold start ---------------------------------------------------------------------------------------------


def test_many_at_a_cold_start(running: Server) -> None:
    """Fifty programs that all begin at the moment the server has started all get in."""
    running.restart()
    program = by_basic(running)
    answers = at_once(*[partial(program.ask, "GET", "/users/whoami")] * 50)
    assert [getattr(answer, "status", answer) for answer in answers] == [200] * 50
