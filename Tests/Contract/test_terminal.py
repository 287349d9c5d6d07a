"""The terminal client as scripts use it: through pipes, with --json, by its exit status."""
import json
import signal
import socket
import subprocess
import sys

import pytest

import pictures
from harness import KEYS, LIMIT, binary, is_alive, wait_until
from terminal import broken, settings  # noqa: F401 a fixture among them


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
    assert told == {"file": "a.mp3", "bytes": (tmp_path / "a.mp3").stat().st_size, "format": "mp3", "sample_rate": 22050}
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
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"RIFF")
    assert "no model that transcribes" in omni("transcribe", sound, status=65).stderr
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


def test_a_key_opens_the_server(shared, omni):
    server = shared(*KEYS)
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


def test_a_server_that_dies_does_not_take_the_job_along(omni, broken):
    told = omni("video", "a cat", "-o", "cat.mp4", "--base-url", broken, status=70).stderr
    assert "The job goes on. Wait again: omni jobs wait video_gen_1 -o cat.mp4" in told and "closed the connection." in told
