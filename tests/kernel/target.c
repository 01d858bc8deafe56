// The program that is watched: calls the TLS library that is none, in the ways that matter.
// Usage: target SCENARIO; waits for a byte on standard input before it does anything.
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/fake-tls.h"
#include "tests/kernel/plain-sockets.h"

// The byte at `offset` of a stream; the test computes the same.
static char pattern(size_t offset)
{
	return (char)(offset * 31 + offset / 251);
}

static char *patterned(size_t size)
{
	char *bytes = malloc(size);

	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern(i);
	return bytes;
}

// As in kernel-test.cc: the last but one is all that is captured of one call.
#define MAX_CAPTURE ((1 << 20) + (64 << 10))
static const int kSizes[] = {1,    255,   256,   257,   1024,             1025,        4096,
			     4097, 16384, 16385, 70000, (1 << 20) + 5000, MAX_CAPTURE, MAX_CAPTURE + 5000};
#define SIZES (sizeof(kSizes) / sizeof(kSizes[0]))

static int calls(void)
{
	struct fake_session session = {0};
	size_t total = 0, moved = 0;

	for (size_t i = 0; i < SIZES; i++)
		total += (size_t)kSizes[i];
	char *out = patterned(total);
	char *in = malloc(total);

	session.blocked = 1;
	fake_handshake(&session);
	session.blocked = 0;
	fake_handshake(&session);
	fake_control(&session, 55, 0, "model.example");
	fake_control(&session, 33, 0, "not a name");
	fake_set_fd(&session, 77);
	session.incoming = out;
	session.incoming_bytes = (int)total;
	for (size_t i = 0, at = 0; i < SIZES; at += (size_t)kSizes[i], i++) {
		session.blocked = (int)(i % 3); // a non-blocking program asks again
		while (fake_write(&session, out + at, kSizes[i]) < 0)
			;
		session.blocked = (int)(i % 2);
		while (fake_read(&session, in + at, kSizes[i]) < 0)
			;
	}
	fake_write_ex(&session, out, 10, &moved);
	fake_free(&session);
	return memcmp(in, out, total) != 0;
}

// Takes what was shown, without a call that copies it.
static int takes(void)
{
	struct fake_shown shown = {0};
	struct fake_session session = {.shown = &shown};
	size_t total = 0;

	for (size_t i = 0; i < SIZES; i++)
		total += (size_t)kSizes[i];
	shown.data = patterned(total);
	for (size_t i = 0; i < SIZES; i++) {
		fake_take(&session, 0xabcdefUL << 32 | (unsigned)kSizes[i]);
		fake_take(&session, 0xabcdefUL << 32); // nothing
	}
	return 0;
}

enum { CHANGE, ALERT, HANDSHAKE, DATA };
#define TAG 17 // bytes that a record is longer than its plaintext

// One connection: what it sends and receives is patterned, each from its own beginning.
struct records {
	struct fake_layer *layer;
	char *pattern;
	size_t sent, received;
};

static void renew(void **box, unsigned long *sequence, void *key)
{
	box[0] = key;
	*sequence = 0;
}

static void send_record(struct records *connection, unsigned char type, size_t length)
{
	struct fake_message message = {.type = type};

	message.bytes.one.data = connection->pattern + connection->sent;
	message.bytes.one.length = length;
	fake_seal(connection->layer, &message, connection->layer->sequences[0]);
	connection->sent += type == DATA ? length : 0;
}

// In slices, of which the first and the last are not sent whole.
static void send_slices(struct records *connection, size_t length)
{
	const char *from = connection->pattern + connection->sent;
	struct fake_slice slices[] = {{"unsent", 6}, {"beforehand", 10}, {0, 0}, {from, length / 2},
				      {from + length / 2, length - length / 2 + 100}};
	struct fake_message message = {.array = slices, .type = DATA};

	message.bytes.part.count = 5;
	message.bytes.part.first = 16;
	message.bytes.part.end = 16 + length;
	fake_seal(connection->layer, &message, connection->layer->sequences[0]);
	connection->sent += length;
}

// `layer` is null where the caller does not have it at hand.
static void receive_record(struct records *connection, struct fake_layer *layer, unsigned char type, size_t length)
{
	struct fake_result result = {0, {0, 0}, 0};
	struct fake_slice input = {connection->pattern + connection->received, length + TAG};
	char finished = 20;

	if (type == HANDSHAKE)
		input.data = memset(malloc(length + TAG), finished, length + TAG);
	fake_open(layer, &input, &result, connection->layer->boxes[2], connection->layer->sequences[1]);
	connection->layer->sequences[1]++;
	result.plaintext.length = length;
	result.type = type;
	fake_opened(&result);
	connection->received += type == DATA ? length : 0;
}

// Two connections of one thread, whose boxes are used again, by themselves and by each other.
static int records(void)
{
	static char keys[8];
	struct fake_layer on_stack = {0}, elsewhere, second_layer = {0};
	struct records first = {&on_stack, patterned(1 << 20), 0, 0};
	struct records second = {&second_layer, first.pattern, 0, 0};

	renew(on_stack.boxes, &on_stack.sequences[0], keys);
	renew(on_stack.boxes + 2, &on_stack.sequences[1], keys + 1);
	send_record(&first, HANDSHAKE, 200);
	receive_record(&first, &on_stack, HANDSHAKE, 800);
	renew(on_stack.boxes, &on_stack.sequences[0], keys + 2);
	renew(on_stack.boxes + 2, &on_stack.sequences[1], keys);
	receive_record(&first, &on_stack, DATA, 50); // the server speaks first
	elsewhere = on_stack;
	first.layer = &elsewhere;
	send_record(&first, DATA, 1000);
	send_slices(&first, 16384);
	receive_record(&first, 0, DATA, 16384);
	// New keys for both directions, one in a box of the handshake's.
	renew(elsewhere.boxes + 2, &elsewhere.sequences[1], keys + 1);
	send_record(&first, HANDSHAKE, 5);
	renew(elsewhere.boxes, &elsewhere.sequences[0], keys + 3);
	send_slices(&first, 4097);
	receive_record(&first, 0, DATA, 300);
	// The boxes that are free again.
	renew(second_layer.boxes, &second_layer.sequences[0], keys);
	renew(second_layer.boxes + 2, &second_layer.sequences[1], keys + 2);
	send_record(&second, DATA, 77);
	receive_record(&second, 0, DATA, 5000);
	send_record(&first, DATA, 1);
	receive_record(&first, &elsewhere, DATA, 2);
	send_record(&second, ALERT, 2);
	receive_record(&first, &elsewhere, ALERT, 2);
	return 0;
}

#define THREAD_CALLS 3000
#define THREAD_BYTES 700
static struct fake_session shared;
static char *shared_bytes;

static void *write_all(void *unused)
{
	for (int i = 0; i < THREAD_CALLS; i++)
		fake_write(&shared, shared_bytes + i * THREAD_BYTES, THREAD_BYTES);
	return unused;
}

static int threads(void)
{
	static char in[THREAD_BYTES];
	pthread_t writer;

	shared_bytes = patterned(THREAD_CALLS * THREAD_BYTES);
	shared.incoming = shared_bytes;
	shared.incoming_bytes = THREAD_CALLS * THREAD_BYTES;
	pthread_create(&writer, 0, write_all, 0);
	for (int i = 0; i < THREAD_CALLS; i++)
		fake_read(&shared, in, THREAD_BYTES);
	pthread_join(writer, 0);
	return 0;
}

static int tree(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		if (fork() == 0)
			_exit(7);
		wait(&status);
		execl("/bin/sh", "sh", "-c", "exit $0", "5", (char *)0);
		_exit(127);
	}
	waitpid(child, &status, 0);
	return WEXITSTATUS(status) == 5 ? 0 : 1;
}

// Calls until standard input ends, so that things can happen to the sensor meanwhile.
static int steadily(void)
{
	enum { SIZE = 1000 };
	struct fake_session session = {0};
	char *out = patterned(SIZE);
	char end;

	for (int i = 0; i < 4000; i++) {
		memcpy(out, &i, sizeof(i));
		fake_write(&session, out, SIZE);
		usleep(300);
	}
	return read(0, &end, 1) < 0;
}

// A socket, connected to PORT on loopback, or -1.
static int connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	int made = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(made, (struct sockaddr *)&address, sizeof(address)) == 0)
		return made;
	close(made);
	return -1;
}

// One port that listens, one that does not.
static int sockets(int open_port, int closed_port)
{
	// The beginning of a TLS ClientHello.
	static const char hello[] = "\x16\x03\x01\x00\x20\x01\x00\x00\x1c\x03\x03 and so on";
	struct fake_session session = {0};
	char answer[400];
	ssize_t got;
	int made = connect_to(open_port);

	if (made < 0 || connect_to(closed_port) >= 0)
		return 1;
	if (write(made, hello, sizeof(hello)) != sizeof(hello))
		return 1;
	session.descriptor = made;
	for (int i = 0; i < 3; i++)
		fake_write(&session, "plain", 5);
	// The peer answers when all has been sent.
	if (shutdown(made, SHUT_WR) != 0)
		return 1;
	while ((got = read(made, answer, sizeof(answer))) > 0)
		;
	close(made);
	return got != 0;
}

int main(int count, char **arguments)
{
	char go;

	if (count == 2 && strcmp(arguments[1], "calls-at-once") == 0)
		return calls();
	if (count < 2 || read(0, &go, 1) != 1)
		return 2;
	if (strcmp(arguments[1], "new-program") == 0)
		return execl("/proc/self/exe", "target", "calls-at-once", (char *)0);
	if (strcmp(arguments[1], "sockets") == 0 && count == 4)
		return sockets(atoi(arguments[2]), atoi(arguments[3]));
	if (strcmp(arguments[1], "plain") == 0 && count == 3)
		return plain_sockets(arguments[2]);
	if (strcmp(arguments[1], "calls") == 0)
		return calls();
	if (strcmp(arguments[1], "takes") == 0)
		return takes();
	if (strcmp(arguments[1], "records") == 0)
		return records();
	if (strcmp(arguments[1], "threads") == 0)
		return threads();
	if (strcmp(arguments[1], "tree") == 0)
		return tree();
	if (strcmp(arguments[1], "steadily") == 0)
		return steadily();
	return 2;
}
