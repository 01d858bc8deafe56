"""The programs that run JavaScript, each with another TLS library inside."""

import collections
import os

from harness import need
from packages import bun_program, program_of

# Of Bun, with and without arguments that the optimiser dropped, and with calls through memory; of Deno, with and without
# what exceptions are unwound with, by which functions are told apart. OISP_TEST_ALL_VERSIONS=1 adds the others, and has
# all of them do what is long.
BUNS = ["1.1.38", "1.3.12", "1.4.5"]
# These tell nobody that they have read to the end of a connection: not until they free it, which no error marks.
SILENT_BUNS = ["1.0.36", "1.1.8"]
LOUD_BUNS = ["1.1.22", "1.2.5", "1.2.15", "1.2.23", "1.3.2", "1.3.8", "1.4.0"]
DENOS = ["1.46.3", "2.9.6"]
MORE_DENOS = ["2.2.12", "2.5.6"]
ALL_VERSIONS = bool(os.environ.get("OISP_TEST_ALL_VERSIONS"))

# command: what a script's name follows; environment: what it needs to trust the provider.
Runtime = collections.namedtuple("Runtime", "name command environment")


def buns(bench):
    return [bun(bench, version) for version in (BUNS if ALL_VERSIONS else BUNS[-1:])]


def denos(bench):
    return [deno(bench, version) for version in (DENOS if ALL_VERSIONS else DENOS[-1:])]


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
