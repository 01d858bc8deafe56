"""What is read at a probe is believed only when it behaves."""

import os
import socket
import threading

from harness import Skip, case, check


class Echo:
    """A server that sends back what it gets."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)

    def __exit__(self, *reason):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def record_false_library(bench, **environment):
    program = os.path.join(bench.build, "tests/end-to-end/test-false-client")
    if not os.path.exists(program):
        raise Skip("the build has no test-false-client")
    with Echo() as echo:
        recording = bench.record([program, str(echo.port), "6"], env=bench.environment(**environment))
    check(recording.status == 0, f"status {recording.status}: {recording.text()}")
    kinds = {event["event_type"] for event in recording.events()}
    check(not [kind for kind in kinds if kind.startswith(("ai.", "agent."))], f"events: {kinds}")
    coverage = recording.events("sensor.coverage")[-1]["data"]
    file = next((file for file in coverage.get("files", []) if "false-tls" in file["path"]), None)
    check(file, f"it was not probed: {coverage.get('files')}")
    check(file["trust"] == "distrusted", f"it is {file}")
    spots = [spot for spot in coverage.get("blind_spots", []) if spot["reason"] == "distrusted"]
    check(spots and "false-tls" in spots[0]["detail"], f"blind spots: {coverage.get('blind_spots')}")
    check("NOT SEEN" in recording.text() and "was taken for" in recording.text().replace("\n", " "),
          f"it says: {recording.text()}")
    return file["reason"]


@case
def a_library_that_passes_ciphertext_is_not_believed(bench):
    check("encrypted" in record_false_library(bench), "another reason")


@case
def a_library_that_says_it_shook_hands_is_not_believed_either(bench):
    check("as much plaintext as" in record_false_library(bench, FALSE_TLS="handshake"), "another reason")
