"""The Swift SDK's own suite, against a real server with a text, an image and a speech model."""
import os
import shutil
import subprocess

import pytest

from harness import LIMIT, ROOT, Server, starter_model

FILM = ROOT / "Tests/Fixtures/wan/t2v"
BUNDLE = ROOT / ".build/debug/swift-omniPackageTests.xctest"


@pytest.fixture
def everything(tmp_path):
    """A server of every kind of model that this checkout can serve."""
    drawing = tmp_path / "zimage-turbo"
    shutil.copytree(ROOT / "Tests/Fixtures/zimage/small", drawing)
    voice = starter_model().parent.parent / "joe"
    with Server(tmp_path / "server", models=[starter_model(), voice, drawing] + [FILM] * FILM.exists()) as server:
        yield server


def test_suite_of_the_sdk(everything):
    assert BUNDLE.exists(), f"{BUNDLE} is not there; run swift build --build-tests"
    swift = shutil.which("swift")
    assert swift, "swift is not on the PATH"
    done = subprocess.run(
        [swift, "test", "--skip-build", "--disable-xctest", "--filter", "OmniClientTests.LiveServer"], cwd=ROOT, capture_output=True, text=True,
        timeout=LIMIT * 3, env=os.environ | {"OMNI_TEST_URL": everything.base_url, "OMNI_API_KEY": "", "OMNI_TEST_VIDEO": str(int(FILM.exists()))})
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    # A suite that was skipped, or found by no name, would pass as well.
    assert "Suite \"Live server\" passed" in done.stdout + done.stderr, done.stdout[-2000:]
