"""The programs that run JavaScript, each with another TLS library inside."""

import collections
import os

from harness import need
from packages import bun_program, program_of

# command: what a script's name follows; environment: what it needs to trust the provider.
Runtime = collections.namedtuple("Runtime", "name command environment")


def node(bench):
    need("node")
    return Runtime("Node.js", ["node"], {"NODE_EXTRA_CA_CERTS": bench.provider.ca})


def bun(bench, version):
    """Scripts name the authority to fetch besides: the first versions did not know of a variable."""
    return Runtime(f"Bun {version}", [bun_program(version)], {"NODE_EXTRA_CA_CERTS": bench.provider.ca})


def deno(bench, version):
    program = program_of(f"@deno/linux-x64-glibc@{version}", "deno")
    os.chmod(program, 0o755)  # some of the packages have it as data
    environment = {"DENO_CERT": bench.provider.ca, "DENO_NO_UPDATE_CHECK": "1",
                   "DENO_DIR": os.path.join(bench.folder, "deno")}
    return Runtime(f"Deno {version}", [program, "run", "--allow-all"], environment)
