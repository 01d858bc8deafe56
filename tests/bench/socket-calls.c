// socket-calls [model]: what a send and a receive on a TCP socket cost, over loopback, in one thread: the median of
// short rounds, in nanoseconds, for 64 bytes and for 16 KiB. With `model` the first bytes are a request to a model, so that
// a recording takes the socket; else it leaves it alone.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 4001, CALLS = 20 };

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return (first > second) - (first < second);
}

static void pass(int from, int to, const char *bytes, size_t size)
{
	static char in[65536];

	if (send(from, bytes, size, 0) != (ssize_t)size || recv(to, in, size, MSG_WAITALL) != (ssize_t)size)
		abort();
}

int main(int count, char **arguments)
{
	const char *first = count > 1 && strcmp(arguments[1], "model") == 0 ? "POST /api/chat HTTP/1.1\r\n" : "neither\r\n";
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), server;
	static char bytes[16384];

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) != 0 ||
	    connect(client, (struct sockaddr *)&address, length) != 0)
		return 1;
	server = accept(listener, 0, 0);
	pass(client, server, first, strlen(first));
	for (size_t size = 64; size <= sizeof(bytes); size *= 256) {
		static double rounds[ROUNDS];

		for (int round = 0; round < ROUNDS; round++) {
			double begin = now_ns();

			for (int call = 0; call < CALLS; call++)
				pass(client, server, bytes, size);
			rounds[round] = (now_ns() - begin) / CALLS;
		}
		qsort(rounds, ROUNDS, sizeof(rounds[0]), compare);
		printf("%zu B: median %.0f ns, least %.0f ns for a send and a receive\n", size, rounds[ROUNDS / 2], rounds[0]);
	}
	return 0;
}
