// openssl-client MODE PORT CAFILE COUNT BODY_BYTES: a TLS client on OpenSSL's own calls.
//
//   blocking   SSL_read and SSL_write on a blocking socket
//   ex         SSL_read_ex and SSL_write_ex
//   nonblock   a non-blocking socket with small buffers: WANT_READ, WANT_WRITE and retried writes
//   threads    the same, one thread writes all requests while another reads the answers (a lock around each
//              call, as OpenSSL asks for)
//   wait       like blocking, after a line on standard input (it says `started` first)
//   echo       like blocking, to /echo, and compares every byte that comes back
//
// It sends COUNT requests to /v1/chat/completions with a prompt of BODY_BYTES and prints how many answers came.
// With UNTIL=FILE it goes on until that file is there instead of to COUNT; PAUSE_MS lie between two requests.
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
  SSL* ssl;
  int socket;
  int use_ex;
  int echo;
  int count;
  size_t body_bytes;
  const char* until;
  pthread_mutex_t lock;
};

static void fail(const char* what) {
  fprintf(stderr, "openssl-client: %s failed: %s\n", what, strerror(errno));
  exit(1);
}

static void wait_for_socket(struct client* client, int error) {
  struct pollfd entry = {.fd = client->socket, .events = error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN};
  poll(&entry, 1, 10);
}

static int call(struct client* client, int writes, void* data, size_t bytes, size_t* done) {
  int result;
  if (client->use_ex) {
    result = writes ? SSL_write_ex(client->ssl, data, bytes, done) : SSL_read_ex(client->ssl, data, bytes, done);
  } else {
    result = writes ? SSL_write(client->ssl, data, (int)bytes) : SSL_read(client->ssl, data, (int)bytes);
    *done = result > 0 ? (size_t)result : 0;
  }
  return result > 0 ? SSL_ERROR_NONE : SSL_get_error(client->ssl, result);
}

// One call, repeated until it is through. Returns the bytes, 0 at the end of the connection.
static size_t transfer(struct client* client, int writes, void* data, size_t bytes) {
  for (;;) {
    size_t done = 0;
    pthread_mutex_lock(&client->lock);
    const int error = call(client, writes, data, bytes, &done);
    pthread_mutex_unlock(&client->lock);
    if (error == SSL_ERROR_NONE) {
      return done;
    }
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      return 0;
    }
    wait_for_socket(client, error);
  }
}

static void send_all(struct client* client, char* data, size_t bytes) {
  while (bytes > 0) {
    const size_t done = transfer(client, 1, data, bytes);
    if (done == 0) {
      fail("SSL_write");
    }
    data += done;
    bytes -= done;
  }
}

// The body of request NUMBER, to be freed.
static char* make_body(const struct client* client, int number) {
  const size_t room = client->body_bytes + 256;
  char* body = malloc(room);
  int bytes = snprintf(body, room, "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"");
  for (size_t i = 0; i < client->body_bytes; ++i) {
    body[bytes++] = (char)('a' + (i + (size_t)number) % 26);
  }
  snprintf(body + bytes, room - (size_t)bytes, " number %d of pid %d\"}]}", number, (int)getpid());
  return body;
}

static void send_request(struct client* client, int number) {
  char* body = make_body(client, number);
  char head[1024];
  int bytes = snprintf(head, sizeof(head),
                       "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       "Authorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n",
                       client->echo ? "/echo" : "/v1/chat/completions", getenv("OPENAI_API_KEY"), strlen(body));
  send_all(client, head, (size_t)bytes);
  send_all(client, body, strlen(body));
  free(body);
}

static void* send_requests(void* argument) {
  struct client* client = argument;
  for (int i = 0; i < client->count; ++i) {
    send_request(client, i);
  }
  return NULL;
}

// Reads the answer to request NUMBER (headers, then Content-Length bytes); 0 where the connection ended, or
// where an echo is another than what was sent.
static int read_answer(struct client* client, int number) {
  static char head[65536];
  size_t have = 0;
  while (have < sizeof(head) - 1) {
    // Byte by byte, so that nothing of the next answer is taken.
    if (transfer(client, 0, head + have, 1) == 0) {
      return 0;
    }
    head[++have] = 0;
    if (have >= 4 && memcmp(head + have - 4, "\r\n\r\n", 4) == 0) {
      break;
    }
  }
  const char* length = strstr(head, "Content-Length: ");
  size_t left = length ? strtoul(length + 16, NULL, 10) : 0;
  char* sent = client->echo ? make_body(client, number) : NULL;
  int same = sent == NULL || left == strlen(sent);
  size_t at = 0;
  static char body[16384];
  while (left > 0) {
    const size_t done = transfer(client, 0, body, left < sizeof(body) ? left : sizeof(body));
    if (done == 0) {
      same = 0;
      break;
    }
    same = same && (sent == NULL || memcmp(body, sent + at, done) == 0);
    at += done;
    left -= done;
  }
  free(sent);
  return same;
}

static void connect_to(struct client* client, int port, const char* ca_file) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  if (SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1) {
    fail("reading the CA file");
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE);
  client->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int small = 4096;
  setsockopt(client->socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  setsockopt(client->socket, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(client->socket, (struct sockaddr*)&address, sizeof(address)) != 0) {
    fail("connect");
  }
  client->ssl = SSL_new(context);
  SSL_set_tlsext_host_name(client->ssl, "localhost");
  SSL_set_fd(client->ssl, client->socket);
  if (SSL_connect(client->ssl) != 1) {
    fail("SSL_connect");
  }
}

// Whether request NUMBER is to be sent.
static int goes_on(const struct client* client, int number) {
  return client->until ? access(client->until, F_OK) != 0 : number < client->count;
}

static void pause_ms(const char* milliseconds) {
  if (milliseconds) {
    usleep((useconds_t)atoi(milliseconds) * 1000);
  }
}

int main(int argc, char** argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: %s blocking|ex|nonblock|threads|wait|echo PORT CAFILE COUNT BODY_BYTES\n", argv[0]);
    return 2;
  }
  const char* mode = argv[1];
  struct client client = {.count = atoi(argv[4]), .body_bytes = strtoul(argv[5], NULL, 10)};
  client.use_ex = strcmp(mode, "ex") == 0;
  client.echo = strcmp(mode, "echo") == 0;
  client.until = getenv("UNTIL");
  pthread_mutex_init(&client.lock, NULL);
  if (strcmp(mode, "wait") == 0) {
    puts("started");
    fflush(stdout);
    getchar();
  }
  connect_to(&client, atoi(argv[2]), argv[3]);
  const int threads = strcmp(mode, "threads") == 0;
  if (threads || strcmp(mode, "nonblock") == 0) {
    fcntl(client.socket, F_SETFL, O_NONBLOCK);
  }

  pthread_t writer;
  if (threads) {
    pthread_create(&writer, NULL, send_requests, &client);
  }
  int answers = 0;
  int sent = 0;
  for (; goes_on(&client, sent); ++sent) {
    if (!threads) {
      send_request(&client, sent);
    }
    if (!read_answer(&client, sent)) {
      break;
    }
    ++answers;
    pause_ms(getenv("PAUSE_MS"));
  }
  if (threads) {
    pthread_join(writer, NULL);
  }
  SSL_shutdown(client.ssl);
  SSL_free(client.ssl);
  close(client.socket);
  printf("%d answers\n", answers);
  return answers == (client.until ? sent : client.count) ? 0 : 1;
}
