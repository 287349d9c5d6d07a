"""Fixtures of the contract tests. Servers are shared by all tests that only ask: one for each set of flags and models, in each of the
processes that the tests run in (`processes.py`). Faults get servers of their own."""
import os
import shutil
import socket
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import processes  # noqa: E402
# Fixtures that several files use.
from drawing import checkpoint, images, openai_client  # noqa: E402, F401
from harness import ROOT, Server, opened, starter_model  # noqa: E402
from playground import chromium, home, omni, visit  # noqa: E402, F401
from shelf import Shelf  # noqa: E402
from standing_in import stand_in  # noqa: E402, F401
from videos import videos  # noqa: E402, F401


def pytest_configure(config):
    config.addinivalue_line("markers", "full: long; runs with OMNI_TEST_FULL=1")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: processes.rank(item.path.name))
    if os.environ.get("OMNI_TEST_FULL") == "1":
        return
    skip = pytest.mark.skip(reason="long; OMNI_TEST_FULL=1 runs it")
    for item in items:
        if "full" in item.keywords:
            item.add_marker(skip)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return processes.scheduler(config, log)


@pytest.fixture(autouse=True)
def close_connections():
    """What a failed test left open must not burden the next."""
    yield
    while opened:
        raw = opened.pop()
        try:
            raw.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed already
        raw.close()


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """The one server with these flags and models, for tests that leave it as it was: `shared("--api-key", "x", models=…)`."""
    with Shelf(tmp_path_factory) as shelf:
        yield shelf.server


@pytest.fixture(scope="session")
def server(shared):
    """The shared server with nothing but defaults."""
    return shared()


@pytest.fixture(scope="session")
def model(server):
    """The name under which the shared server serves the starter model."""
    return server.get("/v1/models").json["data"][0]["id"]


@pytest.fixture(scope="session")
def client(server):
    """The official client, pointed at the shared server."""
    from openai import OpenAI

    with OpenAI(base_url=server.base_url + "/v1", api_key="unused", max_retries=0, timeout=180) as client:
        yield client


@pytest.fixture(scope="session")
def speaking(tmp_path_factory):
    """A server with the starter voice, its noise turned off, and the starter text model."""
    from speech import speaking_server

    with speaking_server(tmp_path_factory.mktemp("speaking")) as server:
        first = server.workers()
        yield server
        assert server.process.poll() is None, "the speaking server has ended"
        assert server.workers() == first, "a worker of the speaking server died"


@pytest.fixture(scope="session")
def conversing(tmp_path_factory):
    """A server with the starters that a spoken conversation needs, the voice's noise turned off: it says the same each time."""
    from speech import quiet_voice
    from talking import STARTERS

    folder = tmp_path_factory.mktemp("conversing")
    with Server(folder, models=[quiet_voice(folder) if name == "joe" else name for name in STARTERS]) as server:
        first = server.workers()
        yield server
        assert server.process.poll() is None, "the conversing server has ended"
        assert server.workers() == first, "a worker of the conversing server died"


@pytest.fixture(scope="session")
def everything(tmp_path_factory):
    """A server with a model of each kind: text, a voice, and the tiny image and video models, which make noise."""
    folder = tmp_path_factory.mktemp("everything")
    drawing = shutil.copytree(ROOT / "Tests/Fixtures/zimage/small", folder / "zimage-turbo")
    moving = shutil.copytree(ROOT / "Tests/Fixtures/wan/t2v", folder / "wan-tiny")
    with Server(folder / "server", models=[starter_model(), starter_model().parent.parent / "joe", drawing, moving]) as server:
        workers = server.workers()
        yield server
        assert server.workers().keys() == workers.keys(), "a worker died"


@pytest.fixture(scope="session")
def starters(shared):
    """The starter set, served by name."""
    return shared(models=[starter_model().parent.name, "joe", "whisper-base", "all-minilm-l6-v2", "omni-emoji", "omni-emoji-motion"])


@pytest.fixture
def start(tmp_path, request):
    """Starts servers for one test and ends them after it; their logs are shown when it fails."""
    servers = []

    def start(*arguments, **options):
        server = Server(tmp_path / f"server-{len(servers)}", *arguments, **options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()
        print(f"--- log of {' '.join(server.command[1:])}\n{server.log[-6000:]}")


@pytest.fixture
def twins(tmp_path):
    """Two paths to the starter model, so that one server can serve it twice: `ann` and `ben`."""
    paths = []
    for name in ("ann", "ben"):
        path = tmp_path / f"{name}.gguf"
        os.symlink(starter_model(), path)
        paths.append(path)
    return paths

