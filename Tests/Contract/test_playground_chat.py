"""The playground's chat: it streams, can be stopped, and goes on after what breaks."""
import pytest
from playwright.sync_api import expect

from harness import wait_until
from pictures import png
from playground import fake, roles, say


def test_chat_streams_an_answer(home):
    home.page.fill("#chat-system", "You answer briefly.")
    say(home, "Say hi.")
    answer = home.page.locator("article.message").last
    expect(answer.locator(".foot")).to_contain_text("tokens")
    assert answer.locator(".prose").inner_text().strip()
    say(home, "And again.")
    expect(home.page.locator("article.message")).to_have_count(4)
    expect(home.page.locator("article.message").last.locator(".foot")).to_contain_text("tokens")
    home.page.get_by_role("button", name="New chat").click()
    expect(home.page.locator("article.message")).to_have_count(0)


def test_chat_can_be_stopped_and_goes_on(home, omni):
    say(home, "Tell me a very long story.", most=4000)
    answer = home.page.locator("article.message").last
    expect(answer.locator(".prose")).not_to_be_empty()
    home.page.get_by_role("button", name="Stop", exact=True).click()
    expect(answer.locator(".foot")).to_contain_text("stopped")
    omni.wait_idle()
    say(home, "Say hi.")
    expect(home.page.locator("article.message").last.locator(".foot")).to_contain_text("tokens")


def test_an_answer_is_read_aloud(home):
    fake(home, "A long sentence, which takes some seconds to be read aloud, so that there is time to stop it.")
    say(home, "Say hi.", most=12)
    listen = home.page.locator("article.message").last.get_by_role("button", name="Listen", exact=True)
    listen.wait_for()
    with home.page.expect_response("**/v1/audio/speech") as told:
        listen.click()
    assert told.value.status == 200 and told.value.headers["content-type"] == "audio/pcm; rate=24000"
    home.page.get_by_role("button", name="Stop listening").click()
    expect(listen).to_be_visible()


def test_what_a_model_writes_never_becomes_html(home):
    """A model may write anything; here it writes an attack."""
    evil = '<img src=x onerror="document.title=1"> <script>document.title=2</script> **bold** [click](javascript:alert(1)) [fine](https://example.org)'
    fake(home, evil)
    say(home, "x")
    prose = home.page.locator("article.message .prose")
    expect(prose.locator("strong")).to_have_text("bold")
    assert "<img src=x" in prose.inner_text() and "<script>" in prose.inner_text()
    assert prose.locator("img, script").count() == 0
    assert prose.locator("a").evaluate_all("links => links.map(link => link.href)") == ["https://example.org/"]
    assert "swift-omni" in home.page.title()


def test_errors_say_what_to_do(home):
    home.allowed.add(413)
    say(home, "word " * 9000)
    notice = home.page.get_by_role("alert")
    expect(notice).to_contain_text("tokens")
    expect(notice.get_by_role("button", name="Try again")).to_be_visible()


def test_an_answer_that_breaks_off_is_asked_for_again_without_its_half(home):
    fake(home, "Here✂", "Here it is.", "More.")
    say(home, "Tell me.")
    home.page.locator(".notice.bad").wait_for()
    expect(home.page.locator(".notice.bad")).to_contain_text("The connection broke")
    home.page.get_by_role("button", name="Try again").click()
    expect(home.page.locator("article.message").last).to_contain_text("Here it is.")
    say(home, "Go on.")
    expect(home.page.locator("article.message").last).to_contain_text("More.")
    assert roles(home) == [["u Tell me."], ["u Tell me."], ["u Tell me.", "a Here it is.", "u Go on."]]


def test_a_refused_message_does_not_stay_in_the_way(home):
    fake(home, "✗It takes no such parts.", "Good.")
    say(home, "Look at this.")
    expect(home.page.locator(".notice.bad")).to_contain_text("no such parts")
    expect(home.page.locator(".message.user").last).to_contain_text("Not part of the conversation")
    say(home, "Something else.")
    expect(home.page.locator("article.message").last).to_contain_text("Good.")
    assert roles(home) == [["u Look at this."], ["u Something else."]]


def test_a_new_chat_knows_nothing_of_the_old_one(home):
    say(home, "Tell me a long story.", most=2000)
    expect(home.page.locator("article.message").last.locator(".prose")).not_to_be_empty()
    home.page.get_by_role("button", name="New chat").click()
    expect(home.page.locator("#chat-send")).to_be_visible()
    fake(home, "Hello.")
    say(home, "Hi.")
    expect(home.page.locator("article.message")).to_have_count(2)
    assert roles(home) == [["u Hi."]]


@pytest.mark.parametrize("text,shown", [
    ("# heading\u2028next\n\nafter", "heading"), ("2*3*4 and *this*", "2*3*4 and this"), ("1. one\n   - a\n   - b\n2. two", "two"),
])
def test_markdown_of_odd_answers(home, text, shown):
    fake(home, text)
    say(home, "Odd.")
    prose = home.page.locator("article.message").last.locator(".prose")
    expect(prose).to_contain_text(shown)
    expect(home.page.locator("#chat-send")).to_be_visible()
    assert prose.locator("> ol > li > ul > li").count() == (2 if "two" in shown else 0) and prose.locator("> ol > li").count() == (2 if "two" in shown else 0)


def test_two_sends_at_once_are_one(home):
    """The second comes while the first still reads its files: it stays where it was written."""
    fake(home, "Hello.", "Hello again.")
    home.page.evaluate("""() => {
        const [form, text] = [document.getElementById('chat-form'), document.getElementById('chat-text')];
        text.value = 'first';
        form.requestSubmit();
        text.value = 'second';
        form.requestSubmit();
    }""")
    expect(home.page.locator("article.message").last.locator(".prose")).to_have_text("Hello.")
    expect(home.page.locator("article.message.user")).to_have_count(1)
    expect(home.page.locator("#chat-text")).to_have_value("second")
    say(home, "third")
    expect(home.page.locator("article.message.user")).to_have_count(2)


COUNT_URLS = """() => {
    window.alive = new Set();
    const [make, drop] = [URL.createObjectURL.bind(URL), URL.revokeObjectURL.bind(URL)];
    URL.createObjectURL = (blob) => { const url = make(blob); window.alive.add(url); return url; };
    URL.revokeObjectURL = (url) => { window.alive.delete(url); drop(url); };
}"""


def test_files_that_were_shown_do_not_stay_in_memory(home):
    home.page.evaluate(COUNT_URLS)
    fake(home, "Hello.", "Hello.", "Hello.")
    picture = {"name": "a.png", "mimeType": "image/png", "buffer": png(8, 8)}
    for _ in range(3):
        home.page.set_input_files("#chat-file", [picture, picture])
        say(home, "Look.")
        expect(home.page.locator("article.message").last.locator(".prose")).to_have_text("Hello.")
    wait_until(lambda: home.page.evaluate("alive.size") == 0, "the pictures' URLs to be dropped")
    # A player reads on and on: it holds the one file that it plays.
    home.tab("voices")
    for _ in range(3):
        home.page.set_input_files("#voice-sample", {"name": "a.wav", "mimeType": "audio/wav", "buffer": b"RIFF"})
    wait_until(lambda: home.page.evaluate("alive.size") == 1, "all but one URL to be dropped")
