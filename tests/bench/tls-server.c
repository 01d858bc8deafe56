// SPDX-License-Identifier: Apache-2.0
// The server of tests/bench/capture: TLS on loopback, one thread a connection, certificate made at start.
// Prints "ready PORT", serves until its standard input ends.
//
//   GET /bytes/N                     N bytes of JSON
//   POST /v1/chat/completions        a chat completion; with "stream":true at the end of the body, one in
//                                    STREAM_CHUNKS server-sent events, each in a write of its own
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { BUFFER_BYTES = 2 << 20, HEAD_BYTES = 4096, STREAM_CHUNKS = 200 };

static SSL_CTX *context;
static atomic_uint answers;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static SSL_CTX *make_context(void) {
  SSL_CTX *made = SSL_CTX_new(TLS_server_method());
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = X509_new();
  if (!made || !key || !certificate) fail("make a certificate");
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             (const unsigned char *)"localhost", -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  if (!X509_sign(certificate, key, EVP_sha256()) || SSL_CTX_use_certificate(made, certificate) != 1 ||
      SSL_CTX_use_PrivateKey(made, key) != 1) {
    fail("use the certificate");
  }
  SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(made, 0);
  return made;
}

// Writes all or gives up.
static int write_all(SSL *ssl, const char *bytes, size_t length) {
  size_t written = 0;
  return SSL_write_ex(ssl, bytes, length, &written) == 1 && written == length;
}

static int answer_bytes(SSL *ssl, char *out, size_t size) {
  static const char begin[] = "{\"data\":\"";
  static const char end[] = "\"}";
  if (size < sizeof begin + sizeof end || size > BUFFER_BYTES - HEAD_BYTES) return 0;
  const int head = snprintf(out, HEAD_BYTES,
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", size);
  char *body = out + head;
  memset(body, 'x', size);
  memcpy(body, begin, sizeof begin - 1);
  memcpy(body + size - (sizeof end - 1), end, sizeof end - 1);
  return write_all(ssl, out, (size_t)head + size);
}

static int answer_chat(SSL *ssl, char *out) {
  char body[1024];
  const unsigned number = atomic_fetch_add(&answers, 1);
  const int length =
      snprintf(body, sizeof body,
               "{\"id\":\"chatcmpl-%u\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"bench-1\","
               "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"One sentence that says "
               "what was asked for.\"},\"finish_reason\":\"stop\"}],"
               "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12,\"total_tokens\":21}}",
               number);
  const int head = snprintf(out, HEAD_BYTES,
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", length,
                            body);
  return write_all(ssl, out, (size_t)head);
}

static int write_chunk(SSL *ssl, char *out, const char *event) {
  const int length = snprintf(out, HEAD_BYTES, "%zx\r\n%s\r\n", strlen(event), event);
  return write_all(ssl, out, (size_t)length);
}

static int answer_stream(SSL *ssl, char *out) {
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  const unsigned number = atomic_fetch_add(&answers, 1);
  if (!write_all(ssl, head, sizeof head - 1)) return 0;
  for (int i = 0; i < STREAM_CHUNKS - 1; ++i) {
    char event[512];
    snprintf(event, sizeof event,
             "data: {\"id\":\"chatcmpl-%u\",\"object\":\"chat.completion.chunk\",\"model\":\"bench-1\","
             "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word%d \"},\"finish_reason\":null}]}\n\n",
             number, i);
    if (!write_chunk(ssl, out, event)) return 0;
  }
  return write_chunk(ssl, out, "data: [DONE]\n\n") && write_all(ssl, "0\r\n\r\n", 5);
}

// One request is in buffer[0, length): answers it. `body` is where its body begins.
static int answer(SSL *ssl, const char *buffer, size_t length, char *out) {
  size_t size = 0;
  if (sscanf(buffer, "GET /bytes/%zu ", &size) == 1) return answer_bytes(ssl, out, size);
  if (strncmp(buffer, "POST ", 5) != 0) return 0;
  static const char streamed[] = "\"stream\":true}";
  const size_t tail = sizeof streamed - 1;
  if (length >= tail && memcmp(buffer + length - tail, streamed, tail) == 0) return answer_stream(ssl, out);
  return answer_chat(ssl, out);
}

// Size of the request at the start of buffer, head and body; 0 while the head is not whole.
static size_t request_size(const char *buffer, size_t length) {
  const char *end = memmem(buffer, length, "\r\n\r\n", 4);
  if (!end) return 0;
  const size_t head = (size_t)(end - buffer) + 4;
  const char *header = memmem(buffer, head, "Content-Length: ", 16);
  return head + (header ? strtoul(header + 16, NULL, 10) : 0);
}

static void *serve(void *argument) {
  const int fd = (int)(long)argument;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  char *buffer = malloc(BUFFER_BYTES);
  char *out = malloc(BUFFER_BYTES);
  SSL *ssl = SSL_new(context);
  size_t length = 0;
  if (!buffer || !out || !ssl || SSL_set_fd(ssl, fd) != 1 || SSL_accept(ssl) != 1) goto end;
  for (;;) {
    size_t got = 0;
    if (length == BUFFER_BYTES - 1 || SSL_read_ex(ssl, buffer + length, BUFFER_BYTES - 1 - length, &got) != 1) break;
    length += got;
    buffer[length] = '\0';
    const size_t size = request_size(buffer, length);
    if (size == 0 || length < size) continue;
    if (!answer(ssl, buffer, size, out)) break;
    length = 0;  // the clients do not send ahead
  }
end:
  SSL_free(ssl);
  free(buffer);
  free(out);
  close(fd);
  return NULL;
}

static void *wait_for_end(void *unused) {
  (void)unused;
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  _exit(0);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  context = make_context();
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 16) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    fail("listen");
  }
  printf("ready %d\n", ntohs(address.sin_port));
  fflush(stdout);
  pthread_t thread;
  pthread_create(&thread, NULL, wait_for_end, NULL);
  for (;;) {
    const int fd = accept(listener, NULL, NULL);
    if (fd < 0) fail("accept");
    if (pthread_create(&thread, NULL, serve, (void *)(long)fd) != 0) fail("thread");
    pthread_detach(thread);
  }
}
