"""Writes omni(1) from the program's own help:  omni --experimental-dump-help | python3 packaging/manual.py VERSION"""
import json
import re
import sys

FILES = [
    ("$OMNI_HOME, else ~/.local/share/omni", "models, voices, video jobs and stored responses"),
    ("/var/lib/omni", "the same for the service of the Debian package"),
    ("/etc/omni/omni.yaml", "what that service serves"),
]
ENVIRONMENT = [
    ("OMNI_HOME", "The data folder."),
    ("OMNI_CPU", "The kernels of pictures, sound and videos; baseline is the plainest of every kind."),
    ("OMNI_GGML_CPU", "ggml's back end for the CPU, by name; omni doctor lists those that run here."),
    ("OMNI_THREADS", "Threads of a graph."),
    ("HF_HOME, HF_TOKEN, HF_ENDPOINT", "The Hugging Face cache, token and Hub."),
    ("VLLM_API_KEY", "As --api-key."),
]


def escaped(text):
    """Text as troff prints it: backslashes and hyphens as they are, other letters by their number, no line taken for a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in text)
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def names(argument):
    """`-o, --option value` in the argument's own words."""
    if argument["kind"] == "positional":
        return escaped(f"<{argument['valueName']}>")
    flags = ["--" + name["name"] if name["kind"] == "long" else "-" + name["name"] for name in argument["names"]]
    value = f" <{argument['valueName']}>" if argument["kind"] == "option" else ""
    return escaped(", ".join(flags) + value)


def arguments(command):
    for argument in command.get("arguments", []):
        if not argument["shouldDisplay"] or any(name["name"] in ("help", "version") for name in argument.get("names", [])):
            continue
        yield f".TP\n.B {names(argument)}"
        words = " ".join(filter(None, [argument.get("abstract"), argument.get("discussion")]))
        if "defaultValue" in argument:
            words += f" Default: {argument['defaultValue']}."
        yield escaped(words.strip()) or "\\&"


def section(command, path):
    words = path + [command["commandName"]]
    if command.get("shouldDisplay", True) and command["commandName"] != "help":
        if path:
            yield f".SS {escaped(' '.join(words))}"
            yield from (escaped(command[part]) for part in ("abstract", "discussion") if command.get(part))
        yield from arguments(command)
        for child in command.get("subcommands", []):
            yield from section(child, words)


def table(rows):
    for name, words in rows:
        yield f".TP\n.B {escaped(name)}\n{escaped(words)}"


def main(version):
    root = json.load(sys.stdin)["command"]
    lines = [
        f'.TH OMNI 1 "" "swift-omni {version}" "User Commands"', ".SH NAME", f"omni \\- {escaped(root['abstract'])}", ".SH SYNOPSIS",
        ".B omni\n.I command\n[options]", ".SH COMMANDS", *section(root, []), ".SH ENVIRONMENT", *table(ENVIRONMENT), ".SH FILES", *table(FILES),
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
