// SPDX-License-Identifier: Apache-2.0
// The smallest library with OpenSSL's shape: what is exported, what calls what, and where the arguments
// lie. The objects beside this file were made from it (it is itself an input too: not an ELF file):
//   F="-shared -nostdlib -fPIC -O2 -fno-asynchronous-unwind-tables -Wa,-mx86-used-note=no
//      -Wl,--build-id=none,-z,noseparate-code,-z,max-page-size=64,-z,norelro"
//   gcc $F -Wl,--hash-style=gnu -s                    inner.so    one inner function for both forms
//   gcc $F -Wl,--hash-style=gnu -s -DPEEK_SHARES      peek.so     SSL_peek uses the inner function too
//   gcc $F -Wl,--hash-style=sysv -s -DINLINED         inlined.so  no inner function
//   gcc $F -Wl,--hash-style=gnu -DEX_CALLS_PLAIN      libre.so    LibreSSL's way: SSL_read_ex calls SSL_read
//   clang --target=aarch64-linux-gnu -ffreestanding -mbranch-protection=standard -shared -nostdlib -fPIC
//     -O2 -fuse-ld=lld -s -Wl,-z,norelro,--hash-style=gnu                        aarch64.so
// no-sections.so is inner.so with e_shoff, e_shnum and e_shstrndx set to 0.
typedef unsigned long size_t;
typedef struct ssl {
  int (*handshake)(struct ssl *);
  int (*read)(struct ssl *, void *, size_t, size_t *);
  int (*write)(struct ssl *, const void *, size_t, unsigned long, size_t *);
  void *name;
  int fd, state;
  size_t moved, asked;
} ssl;

#ifdef INLINED
#define INNER static inline __attribute__((always_inline))
#else
#define INNER static __attribute__((noinline))
#endif

static __attribute__((noinline)) int fail(void) {
  __asm__ volatile("");
  return -1;
}

INNER int inner_read(ssl *s, void *b, size_t n, size_t *count) {
  int result = s->read(s, b, n, count);
  s->asked += n;
  s->moved += *count;
  s->name = b;
  return result;
}

INNER int inner_write(ssl *s, const void *b, size_t n, unsigned long flags, size_t *count) {
  int result = s->write(s, b, n, flags, count);
  s->asked += n;
  s->moved += *count;
  return result;
}

int SSL_read(ssl *s, void *b, int n) {
  size_t count;
  if (n < 0) return fail();
  int result = inner_read(s, b, (size_t)n, &count);
  return result > 0 ? (int)count : result;
}
int SSL_read_ex(ssl *s, void *b, size_t n, size_t *count) {
#ifdef EX_CALLS_PLAIN
  int result = SSL_read(s, b, (int)n);
  *count = (size_t)result;
  return result > 0;
#else
  int result = inner_read(s, b, n, count);
  return result < 0 ? 0 : result;
#endif
}
#ifdef PEEK_SHARES
int SSL_peek(ssl *s, void *b, int n) {
  size_t count;
  s->state = 2;
  int result = inner_read(s, b, (size_t)n, &count);
  return result > 0 ? (int)count : result;
}
#endif
int SSL_write(ssl *s, const void *b, int n) {
  size_t count;
  if (n < 0) return fail();
  int result = inner_write(s, b, (size_t)n, 0, &count);
  return result > 0 ? (int)count : result;
}
__attribute__((noinline)) int SSL_write_ex2(ssl *s, const void *b, size_t n, unsigned long flags, size_t *count) {
  int result = inner_write(s, b, n, flags, count);
  return result < 0 ? 0 : result;
}
int SSL_write_ex(ssl *s, const void *b, size_t n, size_t *count) { return SSL_write_ex2(s, b, n, 0, count); }
__attribute__((noinline)) int SSL_do_handshake(ssl *s) {
  int result = s->handshake(s);
  s->asked = 0;
  return result;
}
int SSL_connect(ssl *s) {
  if (s->state == 0) s->state = 1;
  return SSL_do_handshake(s);
}
int SSL_accept(ssl *s) {
  if (s->state == 0) s->state = 2;
  return SSL_do_handshake(s);
}
void SSL_free(ssl *s) {
  if (s == 0) return;
  s->state = 0;
}
ssl *SSL_new(ssl *context) { return context; }
int SSL_set_fd(ssl *s, int fd) {
  s->fd = fd;
  return 1;
}
long SSL_ctrl(ssl *s, int command, long larg, void *parg) {
  if (command == 55) s->name = parg;
  return larg;
}
int SSL_shutdown(ssl *s) { return s->state; }
