// What the watched program does on sockets without TLS: both ends of connections on loopback, by every call that
// there is. What passes on them is computed by the test as well.
#include "tests/kernel/plain-sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PARTS = 5 };

struct ends {
	int client, server;
};

static struct ends connect_ends(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct ends ends = {socket(AF_INET, SOCK_STREAM, 0), -1};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
	    connect(ends.client, (struct sockaddr *)&address, size) != 0)
		abort();
	ends.server = accept(listener, 0, 0);
	close(listener);
	return ends;
}

static void close_ends(struct ends ends)
{
	close(ends.client);
	close(ends.server);
}

// Parts of unequal length, one of them empty.
static int divide(struct iovec *parts, char *bytes, size_t size)
{
	size_t at = 0;

	for (int i = 0; i < PARTS; i++) {
		size_t length = i == 1 ? 0 : i == PARTS - 1 ? size - at : (size - at) / 3;

		parts[i].iov_base = bytes + at;
		parts[i].iov_len = length;
		at += length;
	}
	return PARTS;
}

static ssize_t send_by(enum plain_call call, int fd, char *bytes, size_t size)
{
	struct iovec parts[PARTS];
	struct msghdr message = {.msg_iov = parts};

	switch (call) {
	case PLAIN_WRITE:
		return write(fd, bytes, size);
	case PLAIN_SEND:
		return send(fd, bytes, size, 0);
	case PLAIN_WRITEV:
		return writev(fd, parts, divide(parts, bytes, size));
	default:
		message.msg_iovlen = (size_t)divide(parts, bytes, size);
		return sendmsg(fd, &message, 0);
	}
}

static ssize_t receive_by(enum plain_call call, int fd, char *bytes, size_t size)
{
	struct iovec parts[PARTS];
	struct msghdr message = {.msg_iov = parts};

	switch (call) {
	case PLAIN_WRITE:
		return read(fd, bytes, size);
	case PLAIN_SEND:
		return recv(fd, bytes, size, 0);
	case PLAIN_WRITEV:
		return readv(fd, parts, divide(parts, bytes, size));
	default:
		message.msg_iovlen = (size_t)divide(parts, bytes, size);
		return recvmsg(fd, &message, 0);
	}
}

// `size` bytes of a side's stream from `at` on, in calls that move what they like.
static void pass(enum plain_call call, int from, int to, char side, size_t at, size_t size, size_t room)
{
	char *bytes = malloc(size);
	char *in = malloc(room);

	for (size_t i = 0; i < size; i++)
		bytes[i] = plain_byte(side, at + i);
	if (send_by(call, from, bytes, size) != (ssize_t)size)
		abort();
	for (size_t got = 0; got < size;) {
		// A look at what is to come is no reading.
		ssize_t length = recv(to, in, room, MSG_PEEK);

		length = length > 0 ? receive_by(call, to, in, room) : length;
		if (length <= 0 || memcmp(in, bytes + got, (size_t)length) != 0)
			abort();
		got += (size_t)length;
	}
	free(in);
	free(bytes);
}

static void exchange(enum plain_call call)
{
	struct ends ends = connect_ends();
	char nothing;

	pass(call, ends.client, ends.server, 'q', 0, 1000, 700);
	pass(call, ends.client, ends.server, 'q', 1000, PLAIN_ASKED - 1000, 9000);
	// Nothing there: no bytes pass.
	if (recv(ends.client, &nothing, 1, MSG_DONTWAIT) >= 0)
		abort();
	pass(call, ends.server, ends.client, 'a', 0, 17, 4096);
	pass(call, ends.server, ends.client, 'a', 17, PLAIN_ANSWERED - 17, 4096);
	close_ends(ends);
}

// Bytes by calls that nobody looks into, between some that are seen.
static void unseen(void)
{
	struct ends ends = connect_ends();
	char bytes[3 * PLAIN_UNSEEN], in[sizeof(bytes)];
	int file = memfd_create("answer", 0), pipes[2];
	struct iovec part = {bytes, PLAIN_UNSEEN};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};

	pass(PLAIN_WRITE, ends.client, ends.server, 'q', 0, 500, 4096);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = plain_byte('a', i);
	// The server's answer: by write, sendfile, sendmmsg, write; the client splices the first of it away.
	if (write(file, bytes, PLAIN_UNSEEN) != PLAIN_UNSEEN || lseek(file, 0, SEEK_SET) != 0 || pipe(pipes) != 0)
		abort();
	if (write(ends.server, bytes, 100) != 100 || sendfile(ends.server, file, 0, PLAIN_UNSEEN) != PLAIN_UNSEEN ||
	    sendmmsg(ends.server, &message, 1, 0) != 1 || write(ends.server, bytes, 100) != 100)
		abort();
	if (splice(ends.client, 0, pipes[1], 0, 100, 0) != 100)
		abort();
	for (size_t got = 0; got < 2 * PLAIN_UNSEEN + 100;) {
		ssize_t length = read(ends.client, in, sizeof(in));

		if (length <= 0)
			abort();
		got += (size_t)length;
	}
	close(file);
	close(pipes[0]);
	close(pipes[1]);
	close_ends(ends);
}

// One call with more than a TLS call may carry.
static void large(void)
{
	struct ends ends = connect_ends();
	char *bytes = malloc(PLAIN_LARGE), in[65536];

	for (size_t i = 0; i < PLAIN_LARGE; i++)
		bytes[i] = plain_byte('q', i);
	if (fork() == 0) {
		close(ends.client);
		for (size_t got = 0; got < PLAIN_LARGE;) {
			ssize_t length = read(ends.server, in, sizeof(in));

			if (length <= 0)
				_exit(1);
			got += (size_t)length;
		}
		_exit(0);
	}
	close(ends.server);
	if (write(ends.client, bytes, PLAIN_LARGE) != PLAIN_LARGE)
		abort();
	close(ends.client);
	free(bytes);
	if (wait(NULL) < 0) // what the reader does is recorded, too
		abort();
}

// What begins like anything but a request to a model, and goes on like one.
static void others(void)
{
	static const char *const kFirst[] = {"GET /index.html HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\x16\x03\x01\x00",
					     "CONNECT api.example:443 HTTP/1.1\r\n\r\n", "get /v1/models HTTP/1.1\r\n\r\n",
					     "POST /api/users?next=/v1/ HTTP/1.1\r\n\r\n"};

	for (size_t i = 0; i < sizeof(kFirst) / sizeof(kFirst[0]); i++) {
		struct ends ends = connect_ends();
		char in[200];

		if (write(ends.client, kFirst[i], strlen(kFirst[i])) < 0 || read(ends.server, in, sizeof(in)) < 0)
			abort();
		for (int again = 0; again < 40; again++) {
			if (write(ends.server, "ok\n", 3) < 0 || read(ends.client, in, sizeof(in)) < 0)
				abort();
		}
		if (write(ends.client, PLAIN_LINE, sizeof(PLAIN_LINE) - 1) < 0 || read(ends.server, in, sizeof(in)) < 0)
			abort();
		close_ends(ends);
	}
}

int plain_sockets(const char *what)
{
	if (strcmp(what, "calls") == 0) {
		for (int call = PLAIN_WRITE; call <= PLAIN_SENDMSG; call++)
			exchange((enum plain_call)call);
	} else if (strcmp(what, "unseen") == 0) {
		unseen();
	} else if (strcmp(what, "large") == 0) {
		large();
	} else {
		others();
	}
	return 0;
}
