"""The playground: every tab does its job."""
import os
import pathlib
import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

import swift_code
from harness import KEYS, wait_until
from pictures import png
from playground import say


# MARK: - Pictures


def draw(home, prompt, size="64x64", steps=8):
    home.page.fill("#picture-prompt", prompt)
    home.page.fill("#picture-size", size)
    home.page.fill("#picture-steps", str(steps))
    home.page.locator("#picture-draw").click()


def drawn(home):
    """Waits for the finished picture; its width and height."""
    picture = home.page.locator("#picture-view img:not(.forming)")
    picture.wait_for()
    expect(home.page.locator("#picture-stop")).to_be_hidden()
    return picture.evaluate("image => [image.naturalWidth, image.naturalHeight]")


def test_a_picture_forms_before_the_eyes(home):
    home.tab("pictures")
    home.page.evaluate(
        """() => { window.previews = 0; window.steps = new Set();
        new MutationObserver(() => {
            window.previews += document.querySelectorAll('#picture-view img.forming').length;
            window.steps.add(document.querySelector('#picture-progress-text').textContent);
        }).observe(document.body, {subtree: true, childList: true, characterData: true}) }""")
    draw(home, "a red fox", size="96x64", steps=12)
    assert drawn(home) == [96, 64]
    assert home.page.evaluate("window.previews") > 0, "no preview was seen"
    assert any("step" in text for text in home.page.evaluate("[...window.steps]"))


def test_a_picture_is_changed_where_it_is_painted(home):
    home.tab("pictures")
    draw(home, "a red fox")
    drawn(home)
    home.page.get_by_role("button", name="Change this picture").click()
    canvas = home.page.locator("#picture-paint canvas")
    box = canvas.bounding_box()
    home.page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.2)
    home.page.mouse.down()
    home.page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.4, steps=4)
    home.page.mouse.up()
    assert "mask=@mask.png" in home.snippet("#picture-code", "curl")
    home.page.evaluate(
        """() => { const fetch = window.fetch;
        window.fetch = (path, options) => { if (options.body instanceof FormData) window.sent = [...options.body.keys()]; return fetch(path, options) } }""")
    home.page.locator("#picture-draw").click()
    expect(home.page.locator("#picture-strip button")).to_have_count(2)
    assert drawn(home) == [64, 64]
    assert {"image", "mask", "strength"} <= set(home.page.evaluate("window.sent"))


def test_a_mask_is_painted_with_keys(home):
    home.tab("pictures")
    draw(home, "x", steps=2)
    drawn(home)
    home.page.get_by_role("button", name="Change this picture").click()
    canvas = home.page.locator("#picture-paint canvas")
    look = "canvas => canvas.toDataURL()"
    canvas.blur()
    blank = canvas.evaluate(look)
    canvas.press("ArrowRight")
    canvas.press("Space")
    canvas.blur()
    assert canvas.evaluate(look) != blank
    home.page.get_by_role("button", name="Undo").click()
    assert canvas.evaluate(look) == blank


def test_drawing_can_be_stopped(home, omni):
    home.tab("pictures")
    home.page.locator("#tab-pictures .disclosure summary").click()
    home.page.fill("#picture-count", "10")
    draw(home, "x", size="64x64", steps=200)
    expect(home.page.locator("#picture-progress-text")).to_contain_text("step")
    home.page.locator("#picture-stop").click()
    expect(home.page.locator("#picture-draw")).to_be_enabled()
    omni.wait_idle()


# MARK: - Voices


def test_speech_is_heard_while_it_is_made(home):
    home.tab("voices")
    flat = home.page.locator("#voice-wave").evaluate("canvas => canvas.toDataURL()")
    home.page.locator("#voice-speak").click()
    expect(home.page.locator("#voice-facts")).to_contain_text("made in")
    heard = float(re.match(r"([\d.]+) s of speech", home.text("#voice-facts"))[1])
    assert 2 < heard < 12
    assert home.page.locator("#voice-audio").evaluate("async sound => { if (!sound.duration) await new Promise(done => sound.onloadedmetadata = done); return sound.duration }") == pytest.approx(heard, abs=0.1)
    assert home.page.locator("#voice-wave").evaluate("canvas => canvas.toDataURL()") != flat
    with home.page.expect_download() as saved:
        home.page.get_by_role("button", name="Download WAV").click()
    assert pathlib.Path(saved.value.path()).read_bytes()[:4] == b"RIFF"


def test_a_voice_is_recorded_kept_and_deleted(home, omni):
    home.tab("voices")
    home.page.locator("#voice-add summary").click()
    home.page.get_by_role("button", name="Record").click()
    expect(home.page.locator("#voice-record-state")).to_have_text(re.compile(r"recording, [2-9]\.\d s"))
    home.page.get_by_role("button", name="Stop recording").click()
    home.page.fill("#voice-new-name", "Anna")
    home.page.check("#voice-consent")
    home.page.get_by_role("button", name="Keep this voice").click()
    expect(home.page.locator("#voice-list")).to_contain_text("Anna")
    assert [voice["name"] for voice in omni.get("/v1/audio/voices").json["uploaded_voices"]] == ["Anna"]
    home.page.get_by_role("button", name="Delete the voice Anna").click()
    expect(home.page.locator("#voice-list")).not_to_contain_text("Anna")
    assert omni.get("/v1/audio/voices").json["uploaded_voices"] == []


# MARK: - Videos


def ask_for_video(home, prompt, steps):
    home.page.fill("#video-prompt", prompt)
    details = home.page.locator("#tab-videos .disclosure")
    if details.get_attribute("open") is None:
        details.locator("summary").click()
    home.page.fill("#video-steps", str(steps))
    home.page.locator("#video-start").click()
    card = home.page.get_by_role("article", name=f"Video: {prompt}")
    card.wait_for()
    return card


def test_a_video_is_made_played_and_deleted(home, omni):
    home.tab("videos")
    card = ask_for_video(home, "waves", steps=4)
    video = card.locator("video")
    video.wait_for()
    size = video.evaluate("async video => { if (!video.videoWidth) await new Promise(done => video.onloadedmetadata = done); return [video.videoWidth, video.videoHeight, video.error] }")
    assert size == [48, 32, None]
    # Who comes later sees a still; the video itself is fetched when it is played.
    home.page.reload()
    still = card.get_by_role("button", name="Play: waves")
    still.locator("img").wait_for()
    expect(still.locator("img")).to_have_js_property("naturalWidth", 48)
    still.click()
    video.wait_for()
    wait_until(lambda: video.evaluate("video => video.currentTime") > 0, "the video to play")
    expect(card).to_contain_text("made in")
    with home.page.expect_download() as saved:
        card.get_by_role("button", name="Download").click()
    assert b"ftyp" in pathlib.Path(saved.value.path()).read_bytes()[:12]
    card.get_by_role("button", name="Delete").click()
    expect(card).to_have_count(0)
    assert omni.get("/v1/videos").json["data"] == []


def test_videos_wait_their_turn_and_can_be_cancelled(home, omni):
    home.tab("videos")
    home.page.fill("#video-size", "192x192")
    home.page.locator("#tab-videos .disclosure summary").click()
    home.page.fill("#video-frames", "41")
    first = ask_for_video(home, "the first", steps=200)
    expect(first).to_contain_text("of 200")
    second = ask_for_video(home, "the second", steps=200)
    expect(second).to_contain_text("Waiting")
    assert 0 <= first.locator("progress").evaluate("bar => bar.value") < 100
    # By key: a pointer waits until nothing moves, and progress does.
    second.get_by_role("button", name="Cancel").press("Enter")
    expect(second).to_have_count(0)
    first.get_by_role("button", name="Cancel").press("Enter")
    expect(first).to_have_count(0)
    assert omni.get("/v1/videos").json["data"] == []


# MARK: - Models


def test_models_show_their_state_and_sleep(home, omni):
    home.tab("models")
    expect(home.page.locator("#model-list article")).to_have_count(4)
    expect(home.page.locator("#metric-tiles .value").first).to_have_text(re.compile(r"\d"))
    card = home.page.get_by_role("article", name="joe")
    card.get_by_role("button", name="Put to sleep").click()
    expect(card).to_contain_text("Asleep")
    assert omni.model_states()["joe"] == "asleep"
    card.get_by_role("button", name="Wake").click()
    expect(card).to_contain_text("Ready")


def test_a_key_is_asked_for(visit, shared):
    server = shared(*KEYS)
    page = visit(base_url=server.base_url)
    page.allowed.add(401)
    page.page.locator("#key-dialog").wait_for()
    page.page.fill("#key-field", KEYS[1])
    page.page.get_by_role("button", name="Use this key").click()
    page.page.wait_for_selector("#state-dot.ready", state="attached")
    say(page, "Say hi.", most=8)
    expect(page.page.locator("article.message").last.locator(".foot")).to_contain_text("tokens")


def test_a_server_that_is_gone_is_named(visit, start):
    server = start()
    page = visit(base_url=server.base_url)
    page.page.wait_for_selector("#state-dot.ready", state="attached")
    server.stop()
    say(page, "Say hi.")
    expect(page.page.get_by_role("alert")).to_contain_text("omni serve")
    page.faults.clear()  # a refused connection is an error in the console, and meant to be one


# MARK: - The same call in code


@pytest.mark.parametrize("tab,place", [("chat", "#chat-code"), ("pictures", "#picture-code"), ("voices", "#voice-code"), ("videos", "#video-code")])
def test_the_code_beside_an_action_runs(home, omni, tab, place, tmp_path):
    """What the page shows is run as it stands: by a shell, and by Python with the official client. The Swift compiler takes its part."""
    home.tab(tab)
    fields = {
        "chat": {"#chat-max": "8", "#chat-text": "It's a \"fox\"."}, "voices": {"#voice-text": "It's a \"fox\"."},
        "videos": {"#video-prompt": "<it's a \"fox\"; type=@home"},
        "pictures": {"#picture-prompt": "it's a \"fox\"", "#picture-size": "32x32", "#picture-steps": "2"},
    }
    for field, value in fields[tab].items():
        home.page.fill(field, value)
    curl, python, swift = (home.snippet(place, language) for language in ("curl", "Python", "Swift"))
    done = subprocess.run(["bash", "-ec", curl.split("\n\n#")[0]], cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0 and '"error":{' not in done.stdout, done
    if tab == "chat":
        assert done.stdout.rstrip().endswith("data: [DONE]")
    if tab == "videos":
        assert omni.get("/v1/videos").json["data"][0]["prompt"] == fields[tab]["#video-prompt"]
    if tab == "voices":
        assert (tmp_path / "speech.mp3").stat().st_size > 1000
    (tmp_path / "speech.mp3").unlink(missing_ok=True)
    done = subprocess.run([sys.executable, "-c", python], cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    if tab != "chat":
        assert list(tmp_path.iterdir()), "nothing was saved"
    assert not swift_code.faults(swift, tmp_path)


def test_the_code_of_edits_and_models_is_swift(home, tmp_path):
    home.tab("pictures")
    draw(home, "a red fox")
    drawn(home)
    home.page.get_by_role("button", name="Change this picture").click()
    for place in ("#picture-code", "#model-code"):
        if place == "#model-code":
            home.tab("models")
        swift = home.snippet(place, "Swift")
        assert "OmniClient(baseURL:" in swift and not swift_code.faults(swift, tmp_path)


def test_the_code_of_a_chat_with_a_picture_reads_the_file(home, tmp_path):
    (tmp_path / "a_b.png").write_bytes(png(64, 64))
    home.page.select_option("#chat-model", "zimage-turbo")
    home.page.set_input_files("#chat-file", {"name": "a b.png", "mimeType": "image/png", "buffer": png(64, 64)})
    home.page.fill("#chat-text", "it's bluer")
    curl, python, swift = (home.snippet("#chat-code", language) for language in ("curl", "Python", "Swift"))
    done = subprocess.run(["bash", "-ec", curl], cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0 and "data:image/png;base64," in done.stdout and done.stdout.rstrip().endswith("data: [DONE]"), done
    done = subprocess.run([sys.executable, "-c", python.split("for chunk")[0] + "assert any(chunk.choices for chunk in stream)"], cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    assert not swift_code.faults(swift, tmp_path)


def test_code_takes_the_key_from_the_environment(visit, shared, tmp_path):
    page = visit(base_url=shared(*KEYS).base_url)
    page.allowed.add(401)
    page.page.fill("#key-field", "open")
    page.page.get_by_role("button", name="Use this key").click()
    expect(page.page.locator("#key-wrong")).to_be_visible()
    # Who closes the dialog is not asked by the clock.
    page.page.get_by_role("button", name="Cancel").click()
    with page.page.expect_response("**/v1/capabilities") as seen:
        pass
    assert seen.value.status == 401
    expect(page.page.locator("#key-dialog")).to_be_hidden()
    page.page.get_by_role("button", name="API key").click()
    page.page.fill("#key-field", KEYS[1])
    page.page.get_by_role("button", name="Use this key").click()
    page.page.wait_for_selector("#state-dot.ready", state="attached")
    page.page.fill("#chat-max", "8")
    for program, language in ([sys.executable, "-c"], "Python"), (["bash", "-ec"], "curl"):
        code = page.snippet("#chat-code", language)
        assert KEYS[1] not in code
        done = subprocess.run([*program, code], cwd=tmp_path, capture_output=True, text=True, timeout=180, env=os.environ | {"OMNI_API_KEY": KEYS[1]})
        assert done.returncode == 0 and "Unauthorized" not in done.stdout, done
