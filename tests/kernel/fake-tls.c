// A TLS library without TLS: functions with the argument shapes that probe sites describe, so that
// a test knows each byte that must be recorded. Exported, each beginning with a nop that the kernel
// emulates, as real sites do.
#include "tests/kernel/fake-tls.h"

#include <string.h>
#include <unistd.h>

#define SITE __attribute__((noinline, visibility("default")))
#define BEGIN __asm__ volatile("" ::: "memory")

// Like SSL_read: bytes moved, or -1 where it would block.
SITE int fake_read(struct fake_session *session, void *buffer, int size)
{
	BEGIN;
	if (session->blocked > 0) {
		session->blocked--;
		return -1;
	}
	int moved = session->incoming_bytes < size ? session->incoming_bytes : size;
	memcpy(buffer, session->incoming, (size_t)moved);
	session->incoming += moved;
	session->incoming_bytes -= moved;
	return moved;
}

SITE int fake_write(struct fake_session *session, const void *buffer, int size)
{
	BEGIN;
	if (session->blocked > 0) {
		session->blocked--;
		return -1;
	}
	if (session->descriptor > 0 && write(session->descriptor, buffer, (size_t)size) != size)
		return -1;
	return size;
}

// Like SSL_write_ex: 1, and the bytes moved through the fourth argument.
SITE int fake_write_ex(struct fake_session *session, const void *buffer, size_t size, size_t *moved)
{
	BEGIN;
	(void)session;
	(void)buffer;
	*moved = size;
	return 1;
}

// Takes what the session shows already; only the lower half of `count` counts.
SITE void fake_take(struct fake_session *session, unsigned long count)
{
	BEGIN;
	session->shown->data += (unsigned)count;
}

SITE int fake_handshake(struct fake_session *session)
{
	BEGIN;
	return session->blocked > 0 ? -1 : 1;
}

SITE long fake_control(struct fake_session *session, int command, long number, void *pointer)
{
	BEGIN;
	(void)session;
	(void)pointer;
	return command + number;
}

SITE int fake_set_fd(struct fake_session *session, int descriptor)
{
	BEGIN;
	(void)session;
	(void)descriptor;
	return 1;
}

SITE void fake_free(struct fake_session *session)
{
	BEGIN;
	session->incoming = 0;
}

SITE void fake_seal(struct fake_layer *layer, const struct fake_message *message, unsigned long sequence)
{
	BEGIN;
	(void)message;
	layer->sequences[0] = sequence + 1;
}

// Between the two, the result is written.
SITE void fake_open(struct fake_layer *layer, const struct fake_slice *input, struct fake_result *result, void *box,
		    unsigned long sequence)
{
	BEGIN;
	(void)layer;
	(void)box;
	(void)sequence;
	result->kind = 0;
	result->plaintext.data = input->data;
}

SITE void fake_opened(struct fake_result *result)
{
	BEGIN;
	result->kind = 1;
}
