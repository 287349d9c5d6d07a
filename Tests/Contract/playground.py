"""The playground in a real Chromium against a real server, for the tests of its tabs and of what everyone needs."""
import pytest
from playwright.sync_api import expect, sync_playwright

import browser as chrome

expect.set_options(timeout=chrome.PATIENCE)


@pytest.fixture
def omni(everything):
    """The server behind the pages, without the videos that other tests made on it."""
    for job in everything.get("/v1/videos").json["data"]:
        everything.request("DELETE", f"/v1/videos/{job['id']}")
    return everything


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        program = chrome.launch(playwright)
        yield program
        program.close()


@pytest.fixture
def visit(chromium, omni):
    """Opens pages; each must end without a fault."""
    visits = []

    def visit(path="/", base_url=None, **options):
        visits.append(chrome.Visit(chromium, base_url or omni.base_url, path, **options))
        return visits[-1]

    yield visit
    for each in visits:
        each.close()


@pytest.fixture
def home(visit):
    """The playground with everything ready."""
    home = visit()
    home.page.wait_for_selector("#state-dot.ready", state="attached")
    return home


def option(home, selector, value):
    """Fills a field among the chat's options, which narrow windows keep in a drawer."""
    drawer = home.page.get_by_role("button", name="Options")
    if drawer.is_visible():
        drawer.click()
    home.page.fill(selector, value)
    if home.page.locator("#chat-options-close").is_visible():
        home.page.locator("#chat-options-close").click()


def say(home, text, most=24):
    # While an answer comes, nothing can be sent.
    expect(home.page.locator("#chat-send")).to_be_visible()
    option(home, "#chat-max", str(most))
    home.page.fill("#chat-text", text)
    home.page.press("#chat-text", "Enter")


def fake(home, *texts):
    """Answers each further chat request with one of the texts; one that ends with ✂ breaks off there, one that begins
    with ✗ is an error. `window.asked` has the requests."""
    home.page.evaluate("""texts => {
        const real = window.fetch;
        window.asked = [];
        window.fetch = async (url, options) => {
            if (!String(url).endsWith('/v1/chat/completions') || !texts.length) return real(url, options);
            window.asked.push(JSON.parse(options.body).messages);
            const text = texts.shift();
            if (text.startsWith('✗')) return new Response(JSON.stringify({ error: { message: text.slice(1) } }), { status: 400 });
            const chunk = { choices: [{ index: 0, delta: { content: text.replace('✂', '') }, finish_reason: text.endsWith('✂') ? null : 'stop' }] };
            const body = new ReadableStream({ async start(stream) {
                stream.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(chunk)}\\n\\n`));
                await new Promise((done) => setTimeout(done, 50));
                if (text.endsWith('✂')) return stream.error(new TypeError('network error'));
                stream.enqueue(new TextEncoder().encode('data: [DONE]\\n\\n'));
                stream.close();
            } });
            return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
        };
    }""", list(texts))


def roles(home):
    return home.page.evaluate("window.asked.map(list => list.map(message => `${message.role[0]} ${message.content}`))")
