// HTTP without TLS as the watched program sends it, and as the test knows it.
#pragma once

#include <stddef.h>

enum plain_call { PLAIN_WRITE, PLAIN_SEND, PLAIN_WRITEV, PLAIN_SENDMSG };

#define PLAIN_LINE "POST /ollama/api/chat HTTP/1.1\r\n"
#define PLAIN_ASKED 20000
#define PLAIN_ANSWERED 15000
#define PLAIN_UNSEEN 3000
#define PLAIN_LARGE 5000000

// The byte at `offset` of what a side says: 'q' begins with a request line.
static inline char plain_byte(char side, size_t offset) {
  if (side == 'q' && offset < sizeof(PLAIN_LINE) - 1) return PLAIN_LINE[offset];
  return (char)(offset * 31 + offset / 251 + (unsigned char)side);
}

#ifdef __cplusplus
extern "C"
#endif
    int
    plain_sockets(const char* what);
