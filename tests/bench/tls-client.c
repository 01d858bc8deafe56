// SPDX-License-Identifier: Apache-2.0
// The client of tests/bench/capture: one keep-alive connection, blocking calls, a read buffer of 16 KiB.
//
//   tls-client PORT CPU KIND SIZE COUNT PAUSE_US [TIMES]
//
// KIND: get (SIZE bytes come back), post (a chat completion with a body of SIZE bytes), stream (an answer
// in server-sent events), idle (one request, then it waits for the end of its input). Prints "ready PID",
// waits for a line on its input, does one request that is not measured and then COUNT measured ones, and
// prints a line of JSON: CPU and wall time of those, and the plaintext bytes of all. TIMES: a file for the
// CLOCK_REALTIME of each answer's last byte.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 16384, MOST_BODY = 2 << 20 };

static uint64_t sent, received;

static void fail(const char *what) {
  fprintf(stderr, "tls-client: %s\n", what);
  exit(1);
}

static uint64_t now_ns(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((size_t)cpu, &set);
  if (cpu >= 0 && sched_setaffinity(0, sizeof set, &set) != 0) fail("pin to a CPU");
}

static SSL *connect_to(int port) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
  if (!ssl || SSL_set_tlsext_host_name(ssl, "localhost") != 1 || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1) {
    fail("handshake");
  }
  return ssl;
}

static void write_all(SSL *ssl, const char *bytes, size_t length) {
  if (SSL_write(ssl, bytes, (int)length) != (int)length) fail("write");
  sent += length;
}

// Reads one answer to its end.
static void read_answer(SSL *ssl) {
  static char buffer[READ_BYTES + 1];
  size_t left = 0;
  int is_first = 1, is_chunked = 0;
  for (;;) {
    const int got = SSL_read(ssl, buffer, READ_BYTES);
    if (got <= 0) fail("read");
    received += (uint64_t)got;
    buffer[got] = '\0';
    size_t count = (size_t)got;
    if (is_first) {  // the server sends the head in one piece
      const char *end = strstr(buffer, "\r\n\r\n");
      const char *header = strstr(buffer, "Content-Length: ");
      if (!end) fail("an answer without a head");
      is_chunked = header == NULL || header > end;
      if (!is_chunked) left = strtoul(header + 16, NULL, 10);
      count -= (size_t)(end + 4 - buffer);
      is_first = 0;
    }
    // The last chunk is a write, so a record, so a read of its own.
    if (is_chunked && got >= 5 && memcmp(buffer + got - 5, "0\r\n\r\n", 5) == 0) return;
    if (is_chunked) continue;
    if (count > left) fail("more than the answer");
    left -= count;
    if (left == 0) return;
  }
}

struct request {
  char head[512];
  size_t head_length;
  char *body;
  size_t body_length;
};

static struct request make_request(const char *kind, size_t size) {
  struct request request = {0};
  if (strcmp(kind, "get") == 0) {
    request.head_length = (size_t)snprintf(request.head, sizeof request.head,
                                           "GET /bytes/%zu HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n", size);
    return request;
  }
  static const char begin[] = "{\"model\":\"bench-1\",\"messages\":[{\"role\":\"user\",\"content\":\"";
  const char *end = strcmp(kind, "stream") == 0 ? "\"}],\"stream\":true}" : "\"}],\"stream\":false}";
  const size_t frame = sizeof begin - 1 + strlen(end);
  if (size < frame || size > MOST_BODY) fail("body size");
  request.body = malloc(size);
  if (!request.body) fail("memory");
  request.body_length = size;
  memset(request.body, 'y', size);
  memcpy(request.body, begin, sizeof begin - 1);
  memcpy(request.body + size - strlen(end), end, strlen(end));
  request.head_length = (size_t)snprintf(
      request.head, sizeof request.head,
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: %zu\r\n\r\n",
      size);
  return request;
}

static void exchange(SSL *ssl, const struct request *request) {
  write_all(ssl, request->head, request->head_length);
  if (request->body_length > 0) write_all(ssl, request->body, request->body_length);
  read_answer(ssl);
}

int main(int argc, char **argv) {
  if (argc < 7) fail("PORT CPU KIND SIZE COUNT PAUSE_US [TIMES]");
  const char *kind = argv[3];
  const unsigned long count = strtoul(argv[5], NULL, 10);
  const unsigned long pause_us = strtoul(argv[6], NULL, 10);
  const int is_idle = strcmp(kind, "idle") == 0;
  pin(atoi(argv[2]));
  uint64_t *times = calloc(count + 1, sizeof *times);
  char line[64];
  printf("ready %d\n", getpid());
  fflush(stdout);
  if (!times || !fgets(line, sizeof line, stdin)) return 1;

  SSL *ssl = connect_to(atoi(argv[1]));
  const struct request request = make_request(is_idle ? "get" : kind, strtoul(argv[4], NULL, 10));
  exchange(ssl, &request);
  if (is_idle) {
    printf("idle\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
    }
  }
  const uint64_t wall = now_ns(CLOCK_MONOTONIC);
  const uint64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  for (unsigned long i = 0; i < count; ++i) {
    exchange(ssl, &request);
    times[i] = now_ns(CLOCK_REALTIME);
    if (pause_us > 0) usleep((useconds_t)pause_us);
  }
  const uint64_t cpu_used = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  printf("{\"requests\":%lu,\"cpu_ns\":%lu,\"wall_ns\":%lu,\"sent\":%lu,\"received\":%lu}\n", count + 1, cpu_used,
         now_ns(CLOCK_MONOTONIC) - wall, sent, received);
  fflush(stdout);
  if (argc > 7) {
    FILE *file = fopen(argv[7], "w");
    if (!file) fail("TIMES");
    for (unsigned long i = 0; i < count; ++i) fprintf(file, "%lu\n", times[i]);
    fclose(file);
  }
  (void)fgets(line, sizeof line, stdin);  // the runner reads our counters first
  SSL_shutdown(ssl);
  SSL_free(ssl);
  return 0;
}
