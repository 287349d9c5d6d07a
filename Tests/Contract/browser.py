"""A real headless Chromium for tests, which fails a test whose page logs an error, breaks its policy or leaves the server."""
import os
import pathlib
import shutil
import sys
import urllib.parse

import pytest

#: Tests wait at most this long for the page to change, in milliseconds.
PATIENCE = int(float(os.environ.get("OMNI_TEST_LIMIT", "60")) * 1000)
#: A folder that gets screenshots; none are made without it.
SHOTS = os.environ.get("OMNI_SHOTS")


def chromium():
    """The browser's program: $OMNI_CHROMIUM, or what the system has."""
    names = [os.environ.get("OMNI_CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"]
    found = next((path for path in map(shutil.which, filter(None, names)) if path), None)
    if found is None and not sys.platform.startswith("linux"):
        pytest.skip("NO CHROMIUM: the playground is not tested; install one, or name it in OMNI_CHROMIUM")
    assert found, "no Chromium; `make setup` installs Debian's, or name one in OMNI_CHROMIUM"
    return found


def launch(playwright, *arguments):
    # A microphone that beeps stands in for a person's; containers have no sandbox of their own for it.
    return playwright.chromium.launch(
        executable_path=chromium(), args=["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--mute-audio", *arguments])


class Visit:
    """One visit of a page: the page, and what must not have happened on it."""

    def __init__(self, browser, base_url, path="/", width=1280, height=820, scheme="light"):
        self.base_url = base_url
        self.faults = []
        #: Statuses of replies that are meant to be errors; the browser logs each as an error.
        self.allowed = set()
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, permissions=["clipboard-read", "clipboard-write"])
        self.context.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('POLICY ' + e.violatedDirective + ' ' + e.blockedURI))")
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self.heard)
        self.page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        self.page.on("request", self.asked)
        self.page.goto(base_url + path)

    def heard(self, message):
        expected = "Failed to load resource" in message.text and any(f"status of {status} " in message.text for status in self.allowed)
        if message.type in ("error", "warning") and not expected:
            self.faults.append(f"console {message.type}: {message.text}")

    def asked(self, request):
        url = urllib.parse.urlsplit(request.url)
        if url.scheme not in ("blob", "data") and f"{url.scheme}://{url.netloc}" != self.base_url:
            self.faults.append(f"asked another host: {request.url}")

    def tab(self, name):
        self.page.click(f'.nav a[href="#{name}"]')
        self.page.locator(f"#tab-{name}").wait_for()

    def text(self, selector):
        return self.page.locator(selector).inner_text()

    def snippet(self, place, language):
        """The code under a tab."""
        details = self.page.locator(place)
        if details.get_attribute("open") is None:
            details.locator("summary").click()
        details.get_by_role("tab", name=language).click()
        return details.get_by_role("tabpanel").inner_text()

    def shot(self, name):
        if SHOTS:
            pathlib.Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=f"{SHOTS}/{name}.png")

    def close(self):
        self.context.close()
        assert not self.faults, self.faults
