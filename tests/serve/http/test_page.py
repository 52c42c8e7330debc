"""The page of operators in a real browser: what it shows, what it does, and that it is safe."""

import re
import sys
import time
from pathlib import Path

import pytest
import sidecars
from browsers import SIZES, browsing, chromium, is_dark, overhang, shape
from policies import write_agent
from sidecars import JSON, TOKEN, Sidecar, telemetry

import bwalloc.bench.report
import bwalloc.serve.http
from bwalloc.scenario import load_scenario

ASSETS = Path(bwalloc.serve.http.__file__).parent / "page" / "assets"
REPORT = Path(bwalloc.bench.report.__file__).parent / "templates"
WAIT_S = 15


def colours(css):
    """Both palettes of a style sheet, name to value: light, then dark."""
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    return [dict(re.findall(r"--([\w-]+): (#\w+)", block)) for block in blocks]


def test_colours_are_those_of_the_reports():
    ours = colours((ASSETS / "operator.css").read_text(encoding="utf-8"))
    reports = colours((REPORT / "style.css").read_text(encoding="utf-8"))

    for page, report in zip(ours, reports, strict=True):
        assert report.items() <= page.items()


def test_the_script_writes_text_and_never_markup():
    script = (ASSETS / "operator.js").read_text(encoding="utf-8")

    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script
    assert "http" not in script.replace("https", "http")


@pytest.fixture(scope="module")
def browser():
    with chromium() as made:
        yield made


@pytest.fixture
def sidecar(tmp_path):
    write_agent(tmp_path / "bundles" / "other", load_scenario(sidecars.ENV))
    with Sidecar("--bundles", tmp_path / "bundles") as made:
        yield made


def until(browser, condition):
    """Wait for what a script says to be true, and return it."""
    ends_at = time.monotonic() + WAIT_S
    while time.monotonic() < ends_at:
        if found := browser.execute_script(f"return {condition}"):
            return found
        time.sleep(0.05)
    raise AssertionError(condition + "\n" + browser.find_element("tag name", "body").text)


def text_of(browser, part):
    return browser.find_element("id", part).text


def press(browser, name):
    """Press the button of that name that can be seen."""
    for button in browser.find_elements("tag name", "button"):
        if button.text == name and button.is_displayed():
            button.click()
            return
    raise AssertionError(name)


def status(sidecar):
    return sidecar.ask("GET", "/v1/status").json()


@pytest.mark.slow
@browsing
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dark", [False, True])
def test_it_shows_the_state_and_refreshes_itself(sidecar, browser, size, dark):
    shape(browser, size, dark=dark)
    browser.get(f"{sidecar.url}/")
    until(browser, "document.getElementById('headline').textContent === 'No telemetry yet'")
    sidecar.ask("POST", "/v1/decide", telemetry(), JSON)
    until(browser, "document.getElementById('headline').textContent === 'The policy decides'")

    assert len(sidecars.network().links.name) == until(
        browser, "document.querySelectorAll('#links tr').length"
    )
    assert sidecars.bundle().version in text_of(browser, "tiles")
    assert "policy" in text_of(browser, "recent")
    assert overhang(browser) <= 0
    assert dark == is_dark(browser)


@pytest.mark.slow
@browsing
def test_the_kill_switch_asks_for_confirmation_and_a_reason(sidecar, browser):
    shape(browser, "desktop")
    browser.get(f"{sidecar.url}/")
    until(browser, "document.getElementById('headline').textContent !== ''")
    press(browser, "Switch the policy off")
    press(browser, "Cancel")
    assert status(sidecar)["killed"] is None

    press(browser, "Switch the policy off")
    press(browser, "Switch it off")
    assert status(sidecar)["killed"] is None  # a reason is missing
    browser.switch_to.active_element.send_keys("<b>works</b>")
    press(browser, "Switch it off")
    until(browser, "document.getElementById('headline').textContent.startsWith('Switched off')")
    assert "<b>works</b>" == status(sidecar)["killed"] == text_of(browser, "because")

    press(browser, "Let the policy decide")
    press(browser, "Let it decide")
    until(browser, "document.getElementById('headline').textContent === 'No telemetry yet'")
    assert status(sidecar)["killed"] is None


@pytest.mark.slow
@browsing
def test_a_long_reason_does_not_make_the_page_tall(sidecar, browser):
    shape(browser, "phone")
    browser.get(f"{sidecar.url}/")
    reason = "W" * 200
    assert 204 == sidecar.ask("POST", "/v1/kill", {"reason": reason}).status
    until(browser, f"document.getElementById('because').textContent === '{reason}'")

    for part in ("because", "kill-state"):
        shown = browser.find_element("id", part)
        assert shown.size["height"] < 100
        assert reason in shown.get_attribute("title")


@pytest.mark.slow
@browsing
def test_swap_roll_back_and_overrides(sidecar, browser):
    shape(browser, "desktop")
    browser.get(f"{sidecar.url}/")
    until(browser, "document.getElementById('bundle').value === 'other'")
    assert not browser.find_element("id", "rollback").is_enabled()
    press(browser, "Swap in")
    browser.find_element("id", "ask-yes").click()
    until(browser, "document.getElementById('tiles').textContent.includes('test-agent')")
    assert 2 == status(sidecar)["deployment"]["deployment"]

    press(browser, "Roll back")
    browser.find_element("id", "ask-yes").click()
    until(browser, "!document.getElementById('tiles').textContent.includes('test-agent')")
    assert 3 == status(sidecar)["deployment"]["deployment"]

    tenant = sidecars.network().demands.tenant[0]
    browser.find_element("name", "tenant").send_keys(tenant)
    browser.find_element("name", "gbps").send_keys("1.5")
    browser.find_element("css selector", "#override button").click()
    browser.find_element("id", "ask-yes").click()
    until(browser, "document.querySelectorAll('#overrides tbody tr').length === 1")
    assert [1.5] == [one["gbps"] for one in status(sidecar)["overrides"]]
    browser.find_element("css selector", "#overrides button").click()
    browser.find_element("id", "ask-yes").click()
    until(browser, "document.querySelectorAll('#overrides tbody tr').length === 0")


@pytest.mark.slow
@browsing
def test_what_is_refused_is_shown_and_what_is_gone_is_said(sidecar, browser):
    shape(browser, "desktop")
    browser.get(f"{sidecar.url}/")
    until(browser, "document.getElementById('bundle').value === 'other'")
    browser.find_element("name", "tenant").send_keys("nobody")
    browser.find_element("css selector", "#override button").click()
    browser.find_element("id", "ask-yes").click()
    assert "nobody" in until(
        browser,
        "(t => t.classList.contains('bad') && t.textContent)(document.getElementById('toast'))",
    )
    sidecar.end()
    said = "!document.getElementById('lost').hidden && document.getElementById('lost').textContent"
    assert "does not answer" in until(browser, said)


@pytest.mark.slow
@browsing
def test_with_a_token_nothing_is_shown_before_it_is_given(tmp_path, browser):
    (tmp_path / "token").write_text(TOKEN)
    with Sidecar("--token-file", tmp_path / "token") as sidecar:
        browser.get(f"{sidecar.url}/")
        until(browser, "!document.getElementById('sign-in').hidden")
        assert not browser.find_element("id", "shown").is_displayed()
        for given, is_let_in in (("a wrong token of 20", False), (TOKEN, True)):
            browser.find_element("id", "token").send_keys(given)
            press(browser, "Sign in")
            place = "shown" if is_let_in else "sign-in"
            until(browser, f"!document.getElementById('{place}').hidden")
        until(browser, "document.getElementById('headline').textContent === 'No telemetry yet'")


WAITING = """
import sys
from dataclasses import replace
from datetime import UTC, datetime

import sidecars
from bwalloc.serve.http import Drain, Settings, create_app, listen, serve
from bwalloc.serve.books.status import Waiting

class Ordering:
    def __init__(self, inner):
        self.inner = inner
    def __getattr__(self, name):
        return getattr(self.inner, name)
    def status(self):
        order = Waiting("o-1", "hub-cloud", 10.0, 25.0, 7.5, datetime.now(UTC), False)
        return replace(self.inner.status(), waiting=(order,))
    def approve(self, order):
        self.inner.kill(f"approved {order}")
    def reject(self, order):
        self.inner.kill(f"rejected {order}")

settings = Settings(port=0)
listener, drain = listen(settings), Drain()
app = create_app(Ordering(sidecars.supervisor()), settings, drain)
serve(app, listener, settings, drain, lambda: print(listener.url, flush=True))
"""


@pytest.mark.slow
@browsing
@pytest.mark.parametrize(("name", "done"), [("Approve", "approved"), ("Reject", "rejected")])
def test_orders_that_wait_are_shown_and_decided_upon(browser, name, done):
    code = f"import sys; sys.path.insert(0, {str(sidecars.ROOT / 'tests')!r})\n{WAITING}"
    with Sidecar(command=[sys.executable, "-c", code]) as sidecar:
        browser.get(f"{sidecar.url}/")
        until(browser, "!document.getElementById('waiting').hidden")
        assert "hub-cloud 10.0 25.0 7.50" in text_of(browser, "waiting")
        press(browser, name)
        assert "7.50 $/h more" in text_of(browser, "ask")
        browser.find_element("id", "ask-yes").click()
        until(browser, f"document.getElementById('because').textContent === '{done} o-1'")


def requested(browser):
    """Addresses that the browser asked for since this was last called."""
    import json

    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }


@pytest.mark.slow
@browsing
@pytest.mark.parametrize(("path", "part"), [("/", "#links tr"), ("/docs", ".opblock")])
def test_pages_ask_nobody_else_and_break_no_rule_of_their_policy(sidecar, browser, path, part):
    browser.get("about:blank")
    requested(browser)
    browser.get_log("browser")
    browser.get(f"{sidecar.url}{path}")
    sidecar.ask("POST", "/v1/decide", telemetry(), JSON)
    until(browser, f"document.querySelectorAll('{part}').length")
    time.sleep(0.5)
    addresses = {url for url in requested(browser) if not url.startswith(("data:", "about:"))}

    assert addresses
    assert all(url.startswith(f"{sidecar.url}/") for url in addresses), addresses
    assert [] == browser.get_log("browser")
