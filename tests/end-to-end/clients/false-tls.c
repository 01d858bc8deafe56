// A library that has the names of a TLS library, and passes on what is none of its plaintext: what passes its SSL_write
// and SSL_read are random bytes, which go over the socket as they are. With FALSE_TLS=handshake it also says that it
// shook hands, so that only the lengths can show what it is.
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ssl {
  int socket;
};

struct ssl* SSL_new(void* context) {
  (void)context;
  return calloc(1, sizeof(struct ssl));
}

int SSL_set_fd(struct ssl* ssl, int socket) {
  ssl->socket = socket;
  return 1;
}

int SSL_do_handshake(struct ssl* ssl) {
  const char* mode = getenv("FALSE_TLS");
  (void)ssl;
  return mode != NULL && strcmp(mode, "handshake") == 0 ? 1 : -1;
}

int SSL_write(struct ssl* ssl, const void* buffer, int size) { return (int)write(ssl->socket, buffer, (size_t)size); }

int SSL_read(struct ssl* ssl, void* buffer, int size) { return (int)read(ssl->socket, buffer, (size_t)size); }

void SSL_free(struct ssl* ssl) { free(ssl); }
