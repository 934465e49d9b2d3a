"""A browser for each module, and visits that notice whatever a page should not do."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

import telic
from tests.interfaces.shell import Shell
from tests.support.browser import ARGUMENTS, find_chromium
from tests.support.dashboards import Dashboard, running_dashboard

SCREENSHOTS = Path(__file__).parents[3] / ".build" / "screenshots"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed at the module's end: while it is open, no event loop can run in this thread."""
    chromium = find_chromium()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium.path, env=chromium.environment or None, args=ARGUMENTS, timeout=120_000
        )
        yield opened
        opened.close()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Another process that changes the same store."""
    return Shell(str(tmp_path / "goals.db"))


class Visit:
    """A browser that was let in; what its pages complain of is kept."""

    def __init__(self, context: BrowserContext, dashboard: Dashboard) -> None:
        self.context = context
        self.address = dashboard.address
        self.complaints: list[str] = []
        self.page = self.new_page()
        self.page.goto(dashboard.entrance)

    def new_page(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        return page

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.fixture
def visiting(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Starts a dashboard with these options over a store, and visits it."""
    with contextlib.ExitStack() as cleanup:

        def visit(store: str, *options: str, **context_options: Any) -> Visit:
            dashboard = cleanup.enter_context(running_dashboard(store, *options))
            context = browser.new_context(**context_options)
            cleanup.callback(context.close)
            return Visit(context, dashboard)

        yield visit


@pytest.fixture
def visit(visiting: Callable[..., Visit], shell: Shell) -> Visit:
    """A visit of Ada, who may write, to a store with one goal."""
    with telic.connect(shell.store) as store:
        criteria = [telic.Criterion.approval("Ship it?")]
        store.create("Move billing to the new API", token_budget=1_000, criteria=criteria)
    return visiting(shell.store, "--allow-write", "--as", "Ada")
