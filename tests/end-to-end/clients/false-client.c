// false-client PORT COUNT: COUNT connections to PORT, random bytes to and fro on each by way of false-tls.c.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

struct ssl;
struct ssl* SSL_new(void* context);
int SSL_set_fd(struct ssl* ssl, int socket);
int SSL_do_handshake(struct ssl* ssl);
int SSL_write(struct ssl* ssl, const void* buffer, int size);
int SSL_read(struct ssl* ssl, void* buffer, int size);
void SSL_free(struct ssl* ssl);

static int exchange(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  int made = socket(AF_INET, SOCK_STREAM, 0);
  struct ssl* ssl = SSL_new(NULL);
  unsigned char bytes[600];
  int good;

  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(made, (struct sockaddr*)&address, sizeof(address)) != 0) return 0;
  SSL_set_fd(ssl, made);
  SSL_do_handshake(ssl);
  if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) return 0;
  good = SSL_write(ssl, bytes, sizeof(bytes)) == sizeof(bytes);
  shutdown(made, SHUT_WR);
  while (SSL_read(ssl, bytes, sizeof(bytes)) > 0) continue;
  SSL_free(ssl);
  close(made);
  return good;
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  for (int left = atoi(arguments[2]); left > 0; left--) {
    if (!exchange(atoi(arguments[1]))) return 1;
  }
  return 0;
}
