"""The Swift SDK's own suite, against a real server with a model of each kind."""
import os
import shutil
import subprocess

from harness import LIMIT, ROOT

BUNDLE = ROOT / ".build/debug/swift-omniPackageTests.xctest"


def test_suite_of_the_sdk(everything):
    assert BUNDLE.exists(), f"{BUNDLE} is not there; run swift build --build-tests"
    swift = shutil.which("swift")
    assert swift, "swift is not on the PATH"
    # Nothing is built, so a build that runs elsewhere is not waited for.
    done = subprocess.run(
        [swift, "test", "--ignore-lock", "--skip-build", "--disable-xctest", "--filter", "OmniClientTests.LiveServer"], cwd=ROOT, capture_output=True, text=True,
        timeout=LIMIT * 3, env=os.environ | {"OMNI_TEST_URL": everything.base_url, "OMNI_API_KEY": "", "OMNI_TEST_VIDEO": "1"})
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    # A suite that was skipped, or found by no name, would pass as well.
    assert "Suite \"Live server\" passed" in done.stdout + done.stderr, done.stdout[-2000:]
