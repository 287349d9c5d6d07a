"""How the tests share two processes (`scripts/contract.sh`). A family of files asks the same servers, so one process runs all of it;
families that take long begin first, so that both processes end at about the same time. Any order and any number of processes is right."""

#: Files of each family, in order, by what it took on two cores of an Intel Xeon (family 6, model 207): the longest first. A file
#: that stands in none is a family of its own, and comes last.
FAMILIES = {
    "pages": ["playground", "playground_everyone", "playground_chat", "playground_units", "terminal", "terminal_window", "sdk"],
    "videos": ["videos_faults", "videos", "videos_limits"],
    "text": ["malformed", "faults_clients", "edge", "errors", "keys", "chat", "tools", "messages", "responses", "completions", "retrieval", "aliases", "lora", "ollama", "streams", "speculation", "memory"],
    "documents": ["openapi", "replay", "backends", "scaling"],
    "life": ["life", "model_room", "faults_workers", "safe_mode"],
    "speech": ["speech", "speech_socket", "speech_clients", "voices", "spoken_chat", "spoken_answers", "speech_gguf", "voice_kinds", "transcription", "realtime", "realtime_faults", "playground_talk"],
    "starters": ["readme", "starter", "starter_motion"],
    "pictures": ["images_faults", "images", "images_edge", "qwen_image", "single_files"],
}
_PLACES = {
    f"test_{file}.py": (number, place, family)
    for number, (family, files) in enumerate(FAMILIES.items()) for place, file in enumerate(files)
}


def rank(name):
    """By what a file's tests are ordered."""
    number, place, _ = _PLACES.get(name, (len(FAMILIES), 0, ""))
    return number, place, name


def family(nodeid):
    """The family of a test: what one process runs."""
    file = nodeid.split("::")[0]
    return _PLACES.get(file.rpartition("/")[2], (0, 0, file))[2]


def scheduler(config, log):
    """pytest-xdist's, by families."""
    from xdist.scheduler import LoadScopeScheduling

    class Families(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return family(nodeid)

    # In the order of `rank`, not by numbers of tests.
    config.option.loadscopereorder = False
    return Families(config, log)
