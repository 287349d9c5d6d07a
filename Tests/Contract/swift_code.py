"""Swift code of the documents and the playground: checked, and run, against the client library that the tests were built with."""
import shutil
import subprocess
import sys

from harness import LIMIT, ROOT

BUILT = ROOT / ".build/debug"


def _compile(*arguments):
    compiler = shutil.which("swiftc")
    assert compiler, "swiftc is not on the PATH"
    assert (BUILT / "Modules/OmniClient.swiftmodule").exists(), f"the client library is not built in {BUILT}; run swift build --build-tests"
    # Modules in C that the library's dependencies import.
    maps = [*BUILT.glob("*.build/module.modulemap"), *(ROOT / ".build/checkouts").glob("*/Sources/*/include/module.modulemap")]
    flags = [part for path in maps for part in ("-Xcc", f"-fmodule-map-file={path}")]
    done = subprocess.run(
        [compiler, "-swift-version", "6", "-I", BUILT / "Modules", *flags, *arguments], capture_output=True, text=True, timeout=LIMIT)
    return "" if done.returncode == 0 and "warning:" not in done.stderr else done.stderr or f"status {done.returncode}"


def faults(code, folder):
    """What the compiler says about a program, warnings too; nothing when it is right."""
    source = folder / "snippet.swift"
    source.write_text(code)
    return _compile("-typecheck", source)


def built(code, folder):
    """The program, linked with what the examples are linked with."""
    source, program = folder / "main.swift", folder / "program"
    source.write_text(code)
    listed = (BUILT / "example-chat.product/Objects.LinkFileList").read_text().split("\n")
    objects = [name.strip("'\"") for name in listed if name and "example_chat.build" not in name]
    said = _compile("-o", program, source, *objects, "-lc++" if sys.platform == "darwin" else "-lstdc++")
    assert program.exists(), said
    return program
