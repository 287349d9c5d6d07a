"""The playground and the API reference for everyone: light and dark, narrow, by keyboard, and under a strict policy."""
import pathlib

import axe_playwright_python
import pytest
from playwright.sync_api import expect

from playground import say

AXE = pathlib.Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
TABS = ["chat", "pictures", "voices", "transcripts", "talk", "videos", "models"]


def violations(page):
    """What axe-core finds, as text."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})")["violations"]
    return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("scheme,width,height", [("light", 1280, 820), ("dark", 1280, 820), ("light", 390, 844), ("dark", 390, 844), ("light", 320, 640)])
def test_everyone_can_use_every_tab(visit, omni, scheme, width, height):
    """Labels, roles and contrast, by axe-core; and nothing is wider than the window."""
    omni.post("/v1/videos", {"prompt": "a video to look at"})
    home = visit(width=width, height=height, scheme=scheme)
    home.page.wait_for_selector("#state-dot.ready", state="attached")
    say(home, "Say hi.", most=8)
    expect(home.page.locator("article.message").last.locator(".foot")).to_contain_text("tokens")
    for tab in TABS:
        home.tab(tab)
        if tab == "videos":
            home.page.locator("article video, article .play img").first.wait_for()
        home.page.locator(f"#tab-{tab} details:not([open]) > summary").evaluate_all("all => all.forEach(summary => summary.click())")
        home.shot(f"{tab}-{scheme}-{width}")
        assert violations(home.page) == [], tab
        assert home.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{tab} is too wide"


def test_the_keyboard_reaches_everything(home):
    page = home.page
    assert page.locator("a, button, input, select, textarea, [tabindex='0']").first.get_attribute("class") == "skip"
    page.locator(".skip").focus()
    seen = []
    for _ in range(60):
        told = page.evaluate(
            """() => { const e = document.activeElement; const s = getComputedStyle(e);
            return [e.id || e.className || e.tagName, s.outlineStyle !== 'none' || e.id === 'chat-text' || e.matches('input[type=file]')] }""")
        if told[0] in ("BODY", "skip", "HTML") and seen:
            break
        assert told[1], f"the focus on {told[0]} cannot be seen"
        seen.append(told[0])
        page.keyboard.press("Tab")
    for name in ["brand", "theme-toggle", "key-open", "chat-text", "chat-send", "chat-model", "chat-temperature"]:
        assert name in seen, f"{name} cannot be reached: {seen}"
    page.locator('.nav a[href="#models"]').focus()
    page.keyboard.press("Enter")
    page.locator("#tab-models").wait_for()
    assert page.evaluate("document.activeElement.id") == "main"


def test_the_theme_can_be_chosen(home):
    paper = "getComputedStyle(document.body).backgroundColor"
    light = home.page.evaluate(paper)
    home.page.locator("#theme-toggle").click()
    home.page.locator("#theme-toggle").click()
    dark = home.page.evaluate(paper)
    assert light != dark
    home.page.reload()
    assert home.page.evaluate(paper) == dark


# MARK: - The API reference


def test_the_reference_shows_every_path(visit, omni):
    page = visit("/docs")
    page.page.locator(".operation").first.wait_for()
    document = omni.get("/openapi.json").json
    shown = page.page.locator(".operation > summary").evaluate_all("all => all.map(one => one.children[0].textContent + ' ' + one.children[1].textContent)")
    assert sorted(shown) == sorted(f"{method} {path}" for path, item in document["paths"].items() for method in item)
    page.page.locator("#post_v1_chat_completions > summary").click()
    expect(page.page.locator("#post_v1_chat_completions")).to_contain_text("max_completion_tokens")
    expect(page.page.locator("#post_v1_chat_completions")).to_contain_text("507")
    page.shot("docs")
    assert violations(page.page) == []
    page.page.fill("#filter", "/v1/embeddings")
    expect(page.page.locator(".operation")).to_have_count(1)


def test_pages_carry_a_strict_policy(omni):
    for path in ["/", "/docs", "/pages/app.js"]:
        reply = omni.get(path)
        policy = reply.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "http" not in policy, policy
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        again = omni.get(path, **{"If-None-Match": reply.headers["ETag"]})
        assert again.status == 304 and not again.body
    assert omni.get("/pages/nothing.js").status == 404


def test_the_reference_can_be_left_out(start):
    server = start("--disable-fastapi-docs")
    assert server.get("/docs").status == 404 and server.get("/openapi.json").status == 404
    assert server.get("/").status == 200


def test_the_options_take_the_focus_and_close(visit):
    page = visit(width=390, height=844).page
    page.wait_for_selector("#state-dot.ready", state="attached")
    page.get_by_role("button", name="Options").click()
    expect(page.locator("#chat-model")).to_be_focused()
    page.locator("#chat-system").focus()
    page.keyboard.press("Escape")
    expect(page.locator("#chat-options")).to_be_focused()
    page.get_by_role("button", name="Options").click()
    page.locator("#chat-log").click(position={"x": 5, "y": 5})
    expect(page.locator("#chat-side")).to_be_hidden()


def test_the_focus_stays_with_who_uses_keys(home):
    page = home.page
    chip = page.locator(".chip").first
    chip.focus()
    page.keyboard.press("Enter")
    expect(page.locator("article.message").last.locator(".foot")).to_contain_text("tokens")
    assert page.evaluate("document.activeElement.id") in ("chat-text", "chat-send")
    home.tab("pictures")
    page.fill("#picture-prompt", "a cup")
    page.fill("#picture-size", "64x64")
    page.locator("#picture-draw").focus()
    page.keyboard.press("Enter")
    page.locator("#picture-actions").get_by_role("button", name="Download").wait_for()
    expect(page.locator("#picture-draw")).to_be_focused()
    home.tab("models")
    page.get_by_role("button", name="Put to sleep").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Wake").first.wait_for()
    expect(page.get_by_role("button", name="Wake").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Wake")).to_have_count(0)
