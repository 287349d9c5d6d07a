"""The terminal client in a real terminal: conversations, keys, progress and pictures."""
import json
import os
import re
import signal

import pictures
from terminal import PROMPT, broken, window  # noqa: F401 fixtures among them


def test_conversation_goes_on_after_ctrl_c(window, everything, tmp_path):
    chat = window("chat", "--seed", 4, "--max-tokens", 400)
    chat.wait_for(PROMPT)
    chat.type("Write a poem with four hundred verses about the sea.\r")
    chat.wait_for(r"sea\.\r\x1b\[\d+C\r+\n(.*\n)?.*\w \w+")
    chat.type("\x03")
    chat.wait_for(r"\(stopped\)")
    everything.wait_idle()
    chat.wait_for(PROMPT)
    # What is typed during an answer is the next message, and does not show in the answer.
    chat.type("Name a river.\r")
    chat.wait_for(r"river\.\r\x1b\[\d+C\r+\n")
    chat.type("/system Typed ahead.\r")
    shown = chat.wait_for("system prompt is set")
    assert "/system" not in shown[: re.search(PROMPT, shown).start()]
    chat.wait_for(PROMPT)
    chat.type("/system Be kind")
    chat.wait_for("Be kind")
    chat.type("\x01\x0b/system Be brief.\r")
    chat.wait_for("system prompt is set")
    chat.wait_for(PROMPT)
    chat.type("/save talk.json\r")
    chat.wait_for("messages are in talk.json")
    chat.wait_for(PROMPT)
    chat.type("\x04")
    assert chat.end() == 0
    talk = json.loads((tmp_path / "talk.json").read_text())
    assert [m["role"] for m in talk] == ["system"] + ["user", "assistant"] * 2 and talk[0]["content"] == "Be brief." and talk[2]["content"]
    history = tmp_path / "chat_history"
    assert history.stat().st_mode & 0o777 == 0o600
    assert history.read_text().splitlines()[2:] == ["/system Typed ahead.", "/system Be brief.", "/save talk.json"]


def test_history_and_several_lines(window, tmp_path):
    (tmp_path / "chat_history").write_text("/system one\\ntwo\n")
    chat = window("chat")
    chat.wait_for(PROMPT)
    chat.type("\x1b[A")
    chat.wait_for("/system one")
    chat.type("\x1b\rthree \\\rfour\r")
    chat.wait_for("system prompt is set")
    chat.wait_for(PROMPT)
    chat.type("\x1b[200~/save a.json\x1b[201~")
    chat.wait_for("a.json")
    chat.type("\r")
    chat.wait_for("messages are in")
    chat.wait_for(PROMPT)
    chat.type("/quit\r")
    assert chat.end() == 0
    assert json.loads((tmp_path / "a.json").read_text())[0]["content"] == "one\ntwo\nthree \nfour"


def test_a_paste_during_an_answer_is_one_message(window, everything):
    chat = window("chat", "--seed", 4, "--max-tokens", 400)
    chat.wait_for(PROMPT)
    chat.type("Write a poem with four hundred verses about the sea.\r")
    # Nobody has told the terminal to stop marking pastes.
    assert "\x1b[?2004l" not in chat.wait_for(r"sea\.\r\x1b\[\d+C\r+\n(.*\n)?.*\w \w+")
    chat.type("\x1b[200~/save a.json\r/quit\r\x1b[201~")
    # Not as a key: that would throw away what was typed before it.
    os.kill(chat.pid, signal.SIGINT)
    assert "\x1b[?2004l" not in chat.wait_for("/quit")
    chat.type("\x7f\x15\x7f\x15/quit\r")
    assert chat.end() == 0
    assert "messages are in" not in chat.shown and chat.shown.endswith("\x1b[?2004l")


def test_ctrl_c_at_the_prompt_stops_no_answer(window, everything):
    """Where the terminal edits the line itself, so that Ctrl-C comes as a signal."""
    chat = window("chat", "--max-tokens", 4, "--temperature", 0, TERM="dumb")
    chat.wait_for("› ")
    chat.type("\x03")
    chat.wait_for("Ctrl-D or /quit ends")
    chat.type("Name a river.\n")
    assert "stopped" not in chat.wait_for(r"\w+[^›]*› ")
    chat.type("\x04")
    assert chat.end() == 0


def test_a_conversation_outlives_a_refused_attachment(window, tmp_path):
    (tmp_path / "dot.png").write_bytes(pictures.png(8, 8))
    chat = window("chat", "--max-tokens", 4)
    for text, shown in (
            ("/image dot.png", "Goes with"), ("What is this?", "What was attached is dropped"),
            ("Name a river.", r"river\.\r\x1b\[\d+C\r+\n.*\w"), ("/save a.json", "messages are in")):
        chat.wait_for(PROMPT)
        chat.type(text + "\r")
        chat.wait_for(shown)
    chat.wait_for(PROMPT)
    chat.type("\x04")
    assert chat.end() == 0
    assert [m["content"] for m in json.loads((tmp_path / "a.json").read_text())][:1] == ["Name a river."]


def test_half_an_answer_is_kept_when_the_connection_breaks(window, broken, tmp_path):
    chat = window("chat", "--base-url", broken)
    chat.wait_for(PROMPT)
    chat.type("Name a river.\r")
    chat.wait_for(r"Half\r\nomni: The connection broke")
    chat.wait_for(PROMPT)
    chat.type("/save a.json\r/quit\r")
    assert chat.end() == 0
    assert [m["content"] for m in json.loads((tmp_path / "a.json").read_text())] == ["Name a river.", "Half"]


def test_progress_and_picture_in_a_narrow_window(window):
    drawing = window("image", "x", "--size", "32x32", "--steps", 8, "-o", "x.png", columns=30, rows=20)
    drawing.wait_for(r"\r\x1b\[2Kdenoise [━╸─]+  8/8")
    text = drawing.wait_for(r"x\.png\r\n")
    assert drawing.end() == 0
    rows = [re.sub(r"\x1b\[[0-9;]*[a-zA-Z]", "", row).rsplit("\r")[-1] for row in text.split("\r\n") if "▀" in row]
    assert rows and all(len(row) <= 30 for row in rows), rows
    assert "\x1b[38;2;" in text


def test_sixel_picture(window):
    drawing = window("image", "x", "--size", "32x32", "--steps", 1, "-o", "x.png", "--show", "sixel")
    text = drawing.wait_for(r"\x1bPq(.*)\x1b\\")
    drawing.end()
    width, bands = sixel_size(text[text.rindex("\x1bPq"):])
    assert width == 32 and bands == 6


def sixel_size(text):
    """Columns of the widest row and number of bands, as a terminal would draw them."""
    body = re.sub(r'^\x1bPq"[0-9;]*|\x1b\\$', "", text)
    body = re.sub(r"#\d+;2;\d+;\d+;\d+", "", body)
    bands = [band for band in body.split("-") if band]
    rows = [row for band in bands for row in band.split("$") if row]
    return max(sum(int(n or 1) for n, _ in re.findall(r"(?:!(\d+))?([?-~])", re.sub(r"#\d+", "", row))) for row in rows), len(bands)


def test_escape_codes_of_a_model_do_not_reach_the_terminal(window, everything, tmp_path):
    """A prompt that the server echoes in an error must not be obeyed either."""
    asked = window("chat", "x", "--model", "a\x1b]0;owned\x07b")
    asked.wait_for("does not exist")
    assert asked.end() == 65
