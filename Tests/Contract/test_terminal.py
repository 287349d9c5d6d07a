"""The terminal client as people and scripts use it: through pipes, with --json, by its exit status, and in a real terminal."""
import http.server
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import pictures
from harness import LIMIT, ROOT, Server, binary, is_alive, starter_model, wait_until


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    folder = tmp_path_factory.mktemp("terminal")
    drawing = folder / "zimage-turbo"
    shutil.copytree(ROOT / "Tests/Fixtures/zimage/small", drawing)
    voice = starter_model().parent.parent / "joe"
    with Server(folder / "server", models=[starter_model(), voice, drawing]) as server:
        yield server


def settings(server, **more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OMNI_", "VLLM_", "TERM", "COLORTERM", "TMUX", "KITTY"))}
    return kept | {"OMNI_BASE_URL": server.base_url if server else "", "TERM": "xterm-256color"} | more


@pytest.fixture
def omni(everything, tmp_path):
    """Runs the client in an empty folder, with its output in pipes."""

    def run(*arguments, status=0, stdin="", text=True, **environment):
        done = subprocess.run(
            [binary(), *map(str, arguments)], input=stdin if text else stdin.encode(), capture_output=True, text=text, timeout=LIMIT, cwd=tmp_path,
            env=settings(everything, **environment))
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done

    return run


# MARK: - Pipes and JSON


def test_chat_answers_an_argument_and_a_pipe(omni):
    told = omni("chat", "Name three rivers.", "--max-tokens", 8, "--temperature", 0)
    piped = omni("chat", "--max-tokens", 8, "--temperature", 0, stdin="Name three rivers.\n")
    assert told.stdout == piped.stdout and told.stdout.strip() and told.stdout.endswith("\n")
    assert "\x1b" not in told.stdout + told.stderr
    answer = json.loads(omni("chat", "-", "--max-tokens", 8, "--temperature", 0, "--json", stdin="Name three rivers.").stdout)
    assert answer["content"].strip() == told.stdout.strip()
    assert answer["finish_reason"] == "length" and answer["usage"]["completion_tokens"] == 8 and answer["model"]
    other = json.loads(omni("chat", "Name three rivers.", "--system", "Answer in capitals.", "--max-tokens", 8, "--json").stdout)
    assert other["usage"]["prompt_tokens"] != answer["usage"]["prompt_tokens"]
    both = json.loads(omni("chat", "Say this in French:", "--max-tokens", 1, "--json", stdin="Name three rivers.").stdout)
    assert both["usage"]["prompt_tokens"] > answer["usage"]["prompt_tokens"]


def test_image_draws_edits_and_tells(omni, tmp_path):
    drawn = omni("image", "a fox", "--size", "48x32", "--steps", 4, "--seed", 7, "-o", "fox.png")
    assert drawn.stdout == "fox.png\n"
    assert pictures.decode((tmp_path / "fox.png").read_bytes())[:2] == (48, 32)
    # Progress in plain lines, in order.
    lines = drawn.stderr.splitlines()
    assert "denoise 4/4" in lines and "\r" not in drawn.stderr and "\x1b" not in drawn.stderr
    again = omni("image", "a fox", "--size", "48x32", "--steps", 4, "--seed", 7, "-o", "-", text=False)
    assert again.stdout == (tmp_path / "fox.png").read_bytes()
    told = json.loads(omni("image", "bluer", "--edit", "fox.png", "--mask", "fox.png", "--steps", 4, "-n", 2, "-o", "blue.jpg", "--json").stdout)
    assert told["files"] == ["blue-1.jpg", "blue-2.jpg"] and told["size"] == "48x32" and told["seconds"] > 0
    for name in told["files"]:
        assert (tmp_path / name).read_bytes().startswith(b"\xff\xd8\xff")
    # Without a name nothing is written over.
    assert [omni("image", "x", "--size", "32x32", "--steps", 1).stdout for _ in range(2)] == ["picture.png\n", "picture-2.png\n"]


def test_speak_writes_every_format_and_plays(omni, tmp_path):
    assert omni("speak", "Hello there.", "-o", "a.wav").stdout == "a.wav\n"
    sound = (tmp_path / "a.wav").read_bytes()
    assert sound[:4] == b"RIFF" and int.from_bytes(sound[40:44], "little") == len(sound) - 44
    assert omni("speak", "-o", "-", stdin="Hello there.", text=False).stdout[:4] == b"RIFF"
    told = json.loads(omni("speak", "Hello there.", "-o", "a.mp3", "--speed", 2, "--voice", "joe", "--json").stdout)
    assert told == {"file": "a.mp3", "bytes": (tmp_path / "a.mp3").stat().st_size, "format": "mp3"}
    player = tmp_path / "player"
    player.write_text("#!/bin/sh\ncat > \"$1\"\n")
    player.chmod(0o755)
    omni("speak", "Hello there.", "--play", OMNI_PLAYER=f"{player} {tmp_path}/heard")
    heard = (tmp_path / "heard").read_bytes()
    # A voice does not say the same thing twice in quite the same way.
    assert heard[:4] == b"RIFF" and len(sound) / 2 < len(heard) < len(sound) * 2


def test_voices_come_and_go(omni):
    assert omni("voices").stdout.split() == ["default", "joe"]
    omni("speak", "This is the sound of a voice that shall be kept.", "-o", "v.wav")
    assert omni("voices", "add", "ann", "v.wav", "--consent", "c-1", "--text", "This is").stdout == "ann\n"
    listed = json.loads(omni("voices", "list", "--json").stdout)
    assert "ann" in listed["voices"] and listed["uploaded_voices"][0]["ref_text"] == "This is"
    assert "deleted" in omni("voices", "remove", "ann").stdout
    assert "not found" in omni("voices", "remove", "ann", status=65).stderr


# MARK: - Exit status


def test_exit_status_says_what_went_wrong(omni, tmp_path, everything):
    usage = omni("image", "x", "--mask", "m.png", status=64).stderr
    assert "--mask needs --edit" in usage
    assert "from 1 to 10" in omni("image", "x", "-n", 99, status=65).stderr
    missing = json.loads(omni("chat", "x", "--model", "not/there", "--json", status=65).stdout)["error"]
    assert missing["status"] == 404 and missing["param"] == "model" and missing["request_id"]
    assert "cannot be read" in omni("image", "x", "--edit", "none.png", status=66).stderr
    assert "cannot be written" in omni("speak", "x", "-o", "no/such/folder/a.wav", status=73).stderr
    assert "no model that transcribes" in omni("transcribe", binary(), status=65).stderr
    assert "empty" in omni("chat", stdin=" \n", status=64).stderr
    for command in ("chat", "image", "speak", "video"):
        assert "empty" in omni(command, " ", status=64).stderr and "empty" in omni(command, status=64).stderr
    for words in (["jobs", "show", ""], ["jobs", "cancel", ""], ["jobs", "wait", ""], ["voices", "remove", ""]):
        assert "is empty" in omni(*words, status=64).stderr
    for url in ("", "ftp://localhost:8091", "http://"):
        assert "--base-url must be http://" in omni("voices", "--base-url", url, status=64).stderr
    assert "must end in .mp4" in omni("video", "x", "-o", "cat.avi", status=64).stderr
    assert "nosuch, which is not found" in omni("speak", "x", "--play", status=69, OMNI_PLAYER="nosuch").stderr
    assert "No program to play sound with" in omni("speak", "x", "--play", status=69, PATH=str(tmp_path)).stderr


def test_no_server_says_how_to_start_one(omni):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for command in (["chat", "x"], ["image", "x"], ["voices"], ["jobs"]):
            told = omni(*command, "--base-url", f"http://127.0.0.1:{port}", status=69).stderr
            assert f"omni serve --port {port}" in told and "OMNI_BASE_URL" in told


def test_a_key_opens_the_server(start, omni):
    server = start("--api-key", "sekret")
    place = ("--base-url", server.base_url)
    assert "--api-key" in omni("chat", "x", *place, status=77).stderr
    omni("chat", "x", "--max-tokens", 1, "--api-key", "sekret", *place)
    omni("chat", "x", "--max-tokens", 1, *place, OMNI_API_KEY="sekret")


def test_interrupt_stops_the_server_too(everything, tmp_path):
    process = subprocess.Popen(
        [binary(), "image", "x", "--size", "96x96", "--steps", "200", "-n", "10"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env=settings(everything))
    while not (line := process.stderr.readline()).startswith("denoise"):
        assert line, "the client ended before it drew"
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT) == 130
    everything.wait_idle()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wedged", [False, True], ids=["playing", "wedged"])
def test_interrupt_ends_the_player(everything, tmp_path, wedged):
    """While it plays what it has read, and while it reads nothing."""
    # Not a shell, which would unblock the signals that it inherits as blocked.
    player = tmp_path / "player.py"
    reading = "" if wedged else "sys.stdin.buffer.read()\n"
    player.write_text(f"import os, signal, sys\n{reading}open('part', 'w').write(str(os.getpid()))\nos.rename('part', 'pid')\nsignal.pause()\n")
    process = subprocess.Popen(
        [binary(), "speak", "A sentence that is long enough to fill a pipe. " * (20 if wedged else 1), "--play"], stdin=subprocess.DEVNULL, cwd=tmp_path,
        env=settings(everything, OMNI_PLAYER=f"{sys.executable} {player}"))
    pid = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the player"))
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT) == 130
    wait_until(lambda: not is_alive(pid), "the player's end")
    everything.wait_idle()


def test_output_that_is_lost_is_told(everything, tmp_path):
    for command in (["chat", "hi", "--max-tokens", "4"], ["chat", "hi", "--max-tokens", "4", "--json"], ["speak", "hi", "-o", "-"],
                    ["image", "x", "--size", "32x32", "--steps", "1", "-o", "-"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [binary(), *command], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, timeout=LIMIT, cwd=tmp_path,
                env=settings(everything))
        assert done.returncode == 73 and "The standard output cannot be written: No space" in done.stderr, (command, done)


def test_a_reader_that_goes_away_ends_the_request(everything, tmp_path):
    process = subprocess.Popen(
        [binary(), "chat", "Write a poem with four hundred verses about the sea.", "--max-tokens", "4000"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        cwd=tmp_path, env=settings(everything))
    assert process.stdout.read(5)
    process.stdout.close()
    assert process.wait(LIMIT) == 0
    everything.wait_idle()


@pytest.fixture
def broken():
    """The address of a server that breaks off: its answers stop after a word, and of its films nothing more is heard."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def reply(self, body, kind="application/json", length=None):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length or len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_GET(self):
            if self.path == "/v1/models":
                self.reply(json.dumps({"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "x"}]}))

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/videos":
                return self.reply(json.dumps({"id": "video_gen_1", "object": "video", "model": "m", "status": "queued", "progress": 0, "created_at": 1}))
            self.reply("data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": "Half"}}]}) + "\n\n", "text/event-stream", length=9999)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_server_that_dies_does_not_take_the_job_along(omni, broken):
    told = omni("video", "a cat", "-o", "cat.mp4", "--base-url", broken, status=70).stderr
    assert "The job goes on. Wait again: omni jobs wait video_gen_1 -o cat.mp4" in told and "closed the connection." in told


# MARK: - A real terminal


class Window:
    """A client in a terminal of its own."""

    def __init__(self, server, folder, *arguments, columns=80, rows=24, **environment):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            import fcntl
            import struct
            import termios

            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(binary(), ["omni", *map(str, arguments)], settings(server, OMNI_HOME=str(folder), COLORTERM="truecolor", **environment))
        self.shown = ""

    def read(self):
        if select.select([self.terminal], [], [], 0.05)[0]:
            try:
                self.shown += os.read(self.terminal, 1 << 16).decode(errors="replace")
            except OSError:
                return False
        return True

    def wait_for(self, pattern):
        """Reads until something is shown; what was shown up to there is forgotten."""
        end = time.monotonic() + LIMIT
        while not (match := re.search(pattern, self.shown)):
            alive = self.read()
            assert alive or re.search(pattern, self.shown), f"ended before {pattern!r}: {self.shown!r}"
            assert time.monotonic() < end, f"waited for {pattern!r}: {self.shown!r}"
        text, self.shown = self.shown[: match.end()], self.shown[match.end():]
        return text

    def type(self, text):
        os.write(self.terminal, text.encode())

    def end(self):
        end = time.monotonic() + LIMIT
        while self.read():
            assert time.monotonic() < end, f"waited for the client to end: {self.shown!r}"
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.terminal)
        return status


@pytest.fixture
def window(everything, tmp_path):
    windows = []

    def open_window(*arguments, **size):
        windows.append(Window(everything, tmp_path, *arguments, **size))
        return windows[-1]

    yield open_window
    for one in windows:
        try:
            os.kill(one.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


PROMPT = r"› \r\x1b\[2C"


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
