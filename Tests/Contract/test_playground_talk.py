"""The playground's tab Talk: the microphone is a file in which the starter voice asks."""
import re

import pytest
from playwright.sync_api import expect, sync_playwright

import browser
from harness import LIMIT
from hearing import samples, wav
from speech import speak

QUESTION = "What is the capital of France?"
RATE = 48_000


@pytest.fixture
def home(conversing, tmp_path):
    sound = samples(speak(conversing, QUESTION, sample_rate=RATE).body)
    file = tmp_path / "microphone.wav"
    file.write_bytes(wav(bytes(4 * RATE) + sound + bytes(6 * RATE), RATE))
    with sync_playwright() as playwright:
        program = browser.launch(playwright, f"--use-file-for-fake-audio-capture={file}%noloop")
        home = browser.Visit(program, conversing.base_url)
        yield home
        home.close()
        program.close()


def words(text):
    return set(re.findall("[a-z]+", text.lower()))


def test_a_conversation(home):
    home.tab("talk")
    page = home.page
    page.fill("#talk-language", "en")
    page.get_by_role("button", name="Talk", exact=True).click()
    expect(page.locator("#talk-state")).to_have_text("listening")
    lines = page.locator("#talk-log .line")
    expect(page.locator("#talk-times")).to_contain_text("first sound", timeout=LIMIT * 1000)
    expect(lines.nth(1)).to_contain_text("Model")
    # A browser on a busy machine loses pieces of the sound, so a word may be misheard.
    assert len(words(lines.first.inner_text()) & words(QUESTION)) >= 4, lines.first.inner_text()
    assert [line.split("\n")[0] for line in lines.all_inner_texts()[:2]] == ["You", "Model"] and lines.nth(1).inner_text() != "Model\n"
    assert "client.realtime.session" in home.snippet("#talk-code", "Swift") and '"language": "en"' in home.snippet("#talk-code", "Python")
    home.shot("talk")
    page.get_by_role("button", name="Hang up").click()
    expect(page.get_by_role("button", name="Talk", exact=True)).to_be_visible()


def test_what_is_missing_is_told(visit):
    home = visit("/#talk")
    expect(home.page.locator("#talk-notice")).to_contain_text("transcribes")
    expect(home.page.locator("#talk-start")).to_be_disabled()
