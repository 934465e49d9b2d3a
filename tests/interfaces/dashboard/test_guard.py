"""Who is kept out: raw requests, as a program or another site would send them."""

import http.client
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

import telic
from tests.interfaces.shell import TELIC, Shell
from tests.support.dashboards import TOKEN, Dashboard, running_dashboard


class Client:
    """Sends requests that no browser would."""

    def __init__(self, dashboard: Dashboard) -> None:
        self.host = dashboard.address.removeprefix("http://")
        self.entrance = dashboard.entrance.removeprefix(dashboard.address)
        self.cookie = ""

    def send(self, method: str, path: str, body: str | bytes | None = None, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.host, timeout=240)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named.setdefault("Content-Type", "application/x-www-form-urlencoded")
        if self.cookie:
            named.setdefault("Cookie", self.cookie)
        connection.request(method, path, body, named)
        response = connection.getresponse()
        response.text = response.read().decode()  # type: ignore[attr-defined]
        connection.close()
        return response

    def enter(self) -> None:
        response = self.send("POST", "/enter", urlencode({"token": TOKEN}))
        assert response.status == 303
        self.cookie = str(response.headers["Set-Cookie"]).split(";")[0]

    def form_token(self) -> str:
        text: str = self.send("GET", "/").text  # type: ignore[attr-defined]
        return re.findall(r'name="token" value="([0-9a-f]{64})"', text)[0]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    location = str(tmp_path_factory.mktemp("guarded") / "goals.db")
    telic.connect(location).close()
    return location


@pytest.fixture(scope="module")
def served(store: str) -> Iterator[Dashboard]:
    with running_dashboard(store, "--allow-write") as dashboard:
        yield dashboard


@pytest.fixture
def client(served: Dashboard) -> Client:
    return Client(served)


@pytest.fixture
def goal_id(store: str) -> str:
    """A goal of the test's own."""
    with telic.connect(store) as opened:
        return opened.create("guarded").id


def status(store: str, goal_id: str) -> str:
    with telic.connect(store) as opened:
        return opened.get(goal_id).status.value


def test_nobody_enters_without_the_token(client: Client, goal_id: str) -> None:
    """No page, no stream and no action answers; a wrong token, cookie or code is none."""
    for path in ("/", f"/goals/{goal_id}", "/live/", f"/live/goals/{goal_id}", "/api/v1/goals"):
        assert client.send("GET", path).status == 401, path
        assert client.send("GET", path, Authorization="Bearer wrong").status == 401
        assert (
            client.send("GET", path, Cookie=f"telic_session_{client.host.split(':')[1]}=1.a.YQ==.{'0' * 64}").status
            == 401
        )
    assert client.send("POST", f"/goals/{goal_id}/pause", "revision=1").status == 401
    assert client.send("GET", "/enter?code=wrong").status == 401
    assert client.send("POST", "/enter", "token=wrong").status == 401
    assert client.send("GET", "/", Authorization=f"Bearer {TOKEN}").status == 200


def test_an_entrance_is_good_once(client: Client) -> None:
    """The address that the start writes gives a cookie that no script reads, leads away, and is void."""
    response = client.send("GET", client.entrance)
    cookie = str(response.headers["Set-Cookie"])
    assert (response.status, response.headers["Location"]) == (303, "/")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert client.send("GET", client.entrance).status == 401
    assert client.send("GET", "/", Cookie=cookie.split(";")[0]).status == 200


def test_the_token_lets_in_under_a_name(client: Client) -> None:
    """The form takes the token and a name; a name that cannot be kept is refused."""
    response = client.send("POST", "/enter", urlencode({"token": TOKEN, "name": "Grace"}))
    client.cookie = str(response.headers["Set-Cookie"]).split(";")[0]
    assert "Grace" in client.send("GET", "/").text  # type: ignore[attr-defined]
    assert client.send("POST", "/enter", urlencode({"token": TOKEN, "name": "a/b"})).status == 422


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", ""]
)
def test_a_request_to_another_name_is_refused(host: str, client: Client) -> None:
    """A name that was made to lead here (DNS rebinding) gets no answer, token or not."""
    client.enter()
    host = host.format(port=client.host.split(":")[1])
    assert client.send("GET", "/", Host=host, Authorization=f"Bearer {TOKEN}").status in (400, 421)
    assert client.send("GET", "/", Host=client.host.replace("127.0.0.1", "LOCALHOST")).status == 200


def test_a_request_from_another_site_is_refused(client: Client, goal_id: str, store: str) -> None:
    """By its origin, by what the browser says of it, and for want of the session's own form token."""
    client.enter()
    form = {"token": client.form_token(), "revision": "1", "form": "0" * 64}
    path = f"/goals/{goal_id}/pause"
    for origin in ("http://evil.example", "null", f"http://{client.host}.evil.example"):
        assert client.send("POST", path, urlencode(form), Origin=origin).status == 403
        assert client.send("GET", "/", Origin=origin).status == 403
    for came_from in ("cross-site", "same-site", "none"):
        assert client.send("POST", path, urlencode(form), Sec_Fetch_Site=came_from).status == 403
    for token in ("", "0" * 64, "é" * 64):
        assert client.send("POST", path, urlencode(form | {"token": token})).status == 403
    assert status(store, goal_id) == "active"
    assert client.send("POST", path, urlencode(form), Origin=f"http://{client.host}").status == 303
    assert status(store, goal_id) == "paused"


def test_a_form_token_is_of_one_session(client: Client, goal_id: str, store: str) -> None:
    """Another visitor's token is none."""
    client.enter()
    token = client.form_token()
    response = client.send("POST", "/enter", urlencode({"token": TOKEN}), Cookie="none=1")
    client.cookie = str(response.headers["Set-Cookie"]).split(";")[0]
    form = urlencode({"token": token, "revision": "1", "form": "0" * 64})
    assert client.send("POST", f"/goals/{goal_id}/pause", form).status == 403
    assert status(store, goal_id) == "active"


def test_a_large_body_is_refused(client: Client, goal_id: str) -> None:
    """Whether it says how large it is or not."""
    client.enter()
    body = b"token=" + b"x" * 1_100_000
    assert client.send("POST", f"/goals/{goal_id}/pause", body).status == 413
    connection = http.client.HTTPConnection(client.host, timeout=240)
    headers = {"Cookie": client.cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", f"/goals/{goal_id}/pause", iter([body]), headers, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_forms_that_lack_something_change_nothing(client: Client, goal_id: str, store: str) -> None:
    """A revision, a mark, a criterion, an action that there is: each is asked for."""
    client.enter()
    whole = {"token": client.form_token(), "revision": "1", "form": "0" * 64}
    for name in ("revision", "form"):
        form = {key: value for key, value in whole.items() if key != name}
        assert client.send("POST", f"/goals/{goal_id}/pause", urlencode(form)).status == 422
    assert client.send("POST", f"/goals/{goal_id}/approve", urlencode(whole)).status == 422
    assert client.send("POST", f"/goals/{goal_id}/delete", urlencode(whole)).status == 404
    assert client.send("POST", "/goals/01999999-0000-7000-8000-000000000000/pause", urlencode(whole)).status == 404
    assert status(store, goal_id) == "active"


def test_every_answer_forbids_what_is_not_needed(client: Client) -> None:
    """The same strict headers on pages, refusals and files; nothing inline is in a page."""
    client.enter()
    for path in ("/", "/enter", "/goals/nothing", "/static/dashboard.js", "/nowhere"):
        response = client.send("GET", path)
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "same-origin"
    assert not re.search(r"<style|style=|\son\w+=|javascript:", client.send("GET", "/").text)  # type: ignore[attr-defined]


def test_a_return_address_leads_nowhere_else(client: Client) -> None:
    """The choice of colours cannot be made to send a visitor to another site."""
    client.enter()
    token = client.form_token()
    for back in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: y"):
        response = client.send("POST", "/theme", urlencode({"token": token, "theme": "dark", "back": back}))
        assert response.headers["Location"] == "/"


def test_leaving_ends_the_session_of_the_browser(client: Client) -> None:
    """The cookie is taken away."""
    client.enter()
    response = client.send("POST", "/leave", urlencode({"token": client.form_token()}))
    assert response.status == 303
    assert "Max-Age=0" in str(response.headers["Set-Cookie"])


def test_others_are_let_near_only_with_a_token_of_your_own(store: str, tmp_path: Path) -> None:
    """On another interface a token must be given, and one that can be guessed is refused everywhere."""
    shell = Shell(store)
    refused = shell("dashboard", "--host", "0.0.0.0", "--port", "0", expect=6)
    assert "set a token first" in refused.stderr
    token = tmp_path / "token"
    token.write_text("short\n")
    assert "only its owner may read" in shell("dashboard", "--token-file", str(token), expect=2).stderr
    token.chmod(0o600)
    assert "16" in shell("dashboard", "--token-file", str(token), "--port", "0", expect=2).stderr
    link = tmp_path / "link"
    link.symlink_to(token)
    assert "cannot be read" in shell("dashboard", "--token-file", str(link), expect=2).stderr


def test_a_made_token_is_new_each_time(store: str) -> None:
    """Where none is given, the start writes one that lets in by the form."""
    tokens = set()
    for _ in range(2):
        with running_dashboard(store, token=None) as dashboard:
            assert dashboard.process.stdout is not None
            token = dashboard.process.stdout.readline().split()[-1]
            assert Client(dashboard).send("GET", "/", Authorization=f"Bearer {token}").status == 200
            tokens.add(token)
    assert len(tokens) == 2


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A mistyped path is an error in one line, before anything is served."""
    command = [TELIC, "dashboard", "--store", str(tmp_path / "none.db"), "--port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 9
    assert len(ended.stderr.splitlines()) <= 2
    assert not (tmp_path / "none.db").exists()
