"""Servers that stay, for tests that only ask."""
from harness import Server, wait_until

#: Requests that a server computes or keeps waiting, of each kind of model.
BUSY = [f"{family}:num_requests_{state}" for family in ("vllm", "vllm_omni") for state in ("running", "waiting")]


class Shelf:
    """One running server for each set of flags, models and environment. All must be alive and idle, with the workers that they began
    with, when the tests are over."""

    def __init__(self, tmp_path_factory):
        self.folders, self.servers = tmp_path_factory, {}

    def server(self, *flags, models=None, environment=None):
        flags = tuple(map(str, flags))
        models = None if models is None else tuple(map(str, models))
        key = flags, models, tuple(sorted((environment or {}).items()))
        if key not in self.servers:
            server = Server(self.folders.mktemp("shared"), *flags, models=models, environment=environment)
            self.servers[key] = server, server.workers()
        return self.servers[key][0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        faults = []
        for server, first in self.servers.values():
            try:
                name = " ".join(server.command[1:])
                assert server.process.poll() is None, f"a shared server has ended: {name}\n{server.log[-6000:]}"
                wait_until(lambda: not any(server.metric(name) for name in BUSY), f"a shared server to be idle: {name}")
                assert server.workers() == first, f"a shared server's worker died: {name}\n{server.log[-6000:]}"
            except Exception as fault:  # noqa: BLE001: every server is ended, and all that is wrong is told
                faults.append(str(fault))
            finally:
                server.stop()
        assert not faults, "\n\n".join(faults)
