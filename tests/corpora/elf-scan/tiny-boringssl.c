// SPDX-License-Identifier: Apache-2.0
// The smallest program part with BoringSSL's shape: which function reports which error in which order, and what is
// copied where. Without symbols. The objects beside this file were made from it:
//   F="-ffreestanding -shared -nostdlib -fPIC -O2 -fno-asynchronous-unwind-tables -fvisibility=hidden -fuse-ld=lld -s
//      -Wl,--build-id=none,-z,norelro,-z,max-page-size=64"
//   clang $F                      boring.so          SSL_read with SSL_peek inlined
//   clang $F -DDROPPED            boring-dropped.so  the unused argument of the error function is gone
//   clang $F -DFAR                boring-far.so      the copy is called through a pointer
//   clang $F -DONE_PEEK           boring-peek.so     SSL_read calls SSL_peek, and so does another
//   clang $F -DONE_PEEK -DNO_READ boring-peeks.so    nobody takes what is peeked at
//   clang $F -DINLINED            boring-inlined.so  SSL_read is inlined into what calls it
//   clang $F -DREORDERED          boring-lines.so    the source's order is another
//   clang --target=aarch64-linux-gnu $F              boring-aarch64.so
typedef unsigned long size_t;
typedef struct ssl {
  int (*handshake)(struct ssl *);
  int (*read)(struct ssl *);
  int (*write)(struct ssl *, const void *, size_t);
  struct { // apart, as in the original
    long version;
    const char *pending;
    size_t left;
  } *s3;
  const char *name;
  int quic, state;
} ssl;

void *memcpy(void *, const void *, size_t);
size_t strlen(const char *);
void *malloc(size_t);

#define APART static __attribute__((noinline))
#ifdef ONE_PEEK
#define PEEK APART
#else
#define PEEK static inline __attribute__((always_inline))
#endif
#ifdef INLINED
#define READ static inline __attribute__((always_inline))
#else
#define READ APART
#endif

#ifdef FAR
static void *(*volatile copy)(void *, const void *, size_t);
#else
#define copy memcpy
#endif

static const char file[] = "../../third_party/boringssl/src/ssl/ssl_lib.cc";

#ifdef DROPPED
void put_error(int library, int reason, const char *name, unsigned line);
#define ERROR(reason, line) put_error(16, reason, file, line)
#else
void put_error(int library, int unused, int reason, const char *name, unsigned line);
#define ERROR(reason, line) put_error(16, 0, reason, file, line)
#endif

APART ssl *ssl_new(void *context) {
  if (context == 0) {
    ERROR(185, 500);
    return 0;
  }
  return malloc(sizeof(ssl));
}

APART int do_handshake(ssl *s) {
  if (s->handshake == 0) {
    ERROR(134, 720);
    return -1;
  }
  return s->state ? 1 : s->handshake(s);
}

APART int read_loop(ssl *s) {
  if (s->handshake == 0) {
    ERROR(226, 840);
    return -1;
  }
  while (s->s3->left == 0) {
    int result = do_handshake(s);
    if (result < 0) return result;
    if (result == 0) {
#ifdef REORDERED
      ERROR(215, 1500);
#else
      ERROR(215, 870);
#endif
      return -1;
    }
    result = s->read(s);
    if (result <= 0) return result;
  }
  return 1;
}

PEEK int peek(ssl *s, void *buffer, int size) {
  if (s->quic) {
    ERROR(66, 930);
    return -1;
  }
  int result = read_loop(s);
  if (result <= 0) return result;
  if (size <= 0) return size;
  size_t count = s->s3->left < (size_t)size ? s->s3->left : (size_t)size;
  if (count != 0) copy(buffer, s->s3->pending, count);
  return (int)count;
}

READ int ssl_read(ssl *s, void *buffer, int size) {
  int result = peek(s, buffer, size);
  if (result <= 0) return result;
#ifndef NO_READ
  s->s3->pending += result;
  s->s3->left -= (size_t)result;
#endif
  return result;
}

APART int ssl_write(ssl *s, const void *buffer, int size) {
  if (s->quic) {
    ERROR(66, 950);
    return -1;
  }
  if (s->handshake == 0) {
    ERROR(226, 955);
    return -1;
  }
  int result = do_handshake(s);
  if (result < 0) return result;
  if (result == 0) {
    ERROR(215, 970);
    return -1;
  }
  if (size < 0) {
    ERROR(111, 975);
    return -1;
  }
  return s->write(s, buffer, (size_t)size);
}

APART int ssl_shutdown(ssl *s) {
  if (s->handshake == 0) {
    ERROR(226, 1020);
    return -1;
  }
  s->state = 0;
  return 1;
}

APART int set_host_name(ssl *s, const char *name) {
  size_t length = strlen(name);
  if (length == 0 || length > 255) {
    ERROR(213, 2380);
    return 0;
  }
  s->name = name;
  return 1;
}

// What a program does with it. What is read twice is not made for one caller alone.
APART int receive(ssl *s, int size) {
  char buffer[64];
  return ssl_read(s, buffer, size) + buffer[0];
}

__attribute__((visibility("default"))) int use(void *context, const char *name, char *buffer, int size) {
  ssl *s = ssl_new(context);
  if (!set_host_name(s, name) || do_handshake(s) != 1) return -1;
  int count = ssl_write(s, name, size) + ssl_write(s, buffer, 1) + receive(s, size) + receive(s, 1);
#ifndef INLINED
  count += ssl_read(s, buffer, size) + peek(s, buffer, 1);
#endif
  return count + ssl_shutdown(s);
}
