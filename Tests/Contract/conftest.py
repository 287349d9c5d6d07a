"""Fixtures of the contract tests. One server is shared by all tests that only ask; faults get servers of their own."""
import os
import shutil
import socket
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import Server, opened, starter_model  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "full: long; runs with OMNI_TEST_FULL=1")


def pytest_collection_modifyitems(items):
    if os.environ.get("OMNI_TEST_FULL") == "1":
        return
    skip = pytest.mark.skip(reason="long; OMNI_TEST_FULL=1 runs it")
    for item in items:
        if "full" in item.keywords:
            item.add_marker(skip)


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
def server(tmp_path_factory):
    """The shared server, with nothing but defaults. It must be alive and idle when all tests are over."""
    with Server(tmp_path_factory.mktemp("shared")) as server:
        first = server.workers()
        yield server
        assert server.process.poll() is None, "the shared server has ended"
        server.wait_idle()
        assert server.workers() == first, "the shared server's worker died"


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


@pytest.fixture
def model_copy(tmp_path):
    """A copy of the starter model that a test may damage."""
    return shutil.copy(starter_model(), tmp_path / "copy.gguf")
