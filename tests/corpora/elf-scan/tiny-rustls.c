// SPDX-License-Identifier: Apache-2.0
// The smallest program part with the shape of rustls' record layer: two boxes with methods, two sequence numbers, and
// the assertion's text. Without symbols. The objects beside this file were made from it:
//   F="-ffreestanding -shared -nostdlib -fPIC -O2 -fvisibility=hidden -fuse-ld=lld -s
//      -Wl,--build-id=none,-z,norelro,-z,max-page-size=64"
//   U="-fno-asynchronous-unwind-tables"
//   clang $F -Wl,--eh-frame-hdr  rustls.so            functions are told apart by how exceptions are unwound
//   clang $F $U                  rustls-calls.so      by what is called
//   clang $F $U -DTWICE          rustls-copies.so     decrypted in two places
//   clang $F $U -DNO_OPEN        rustls-half.so       nothing decrypts
//   clang $F $U -DUNCOUNTED      rustls-uncounted.so  the sequence number of what encrypts does not rise
//   clang $F $U -DOLD            rustls-old.so        as before 0.23: another layer, no assertion, but the soft limit
//   clang $F $U -DOLD -DNO_OPEN  rustls-old-half.so   and nothing decrypts
typedef unsigned long u64;

struct methods {
  u64 drop, size, align;
#ifdef OLD
  void *first;
#endif
  void (*pass)(void *result, void *self, void *message, u64 number);
};
struct box {
  void *object;
  const struct methods *methods;
};
struct layer {
#ifndef OLD
  u64 soft_limit, hard_limit;
#endif
  struct box encrypter, decrypter;
#ifndef OLD
  u64 most;
#endif
  u64 written, read;
};
struct result {
  u64 kind, words[7];
};

void take(void *);
void panic(const char *, u64) __attribute__((noreturn));
#define APART static __attribute__((noinline))

#ifdef OLD
struct message {
  u64 address, length;
  unsigned version;
  unsigned short type;
};

APART void seal(u64 *out, struct layer *layer, u64 *input) {
  static const char text[] = "received plaintext buffer full";
  struct result result;
  struct message message = {input[0], input[1], 4, 3};
  if (layer->written == 0xffffffffffff0000) panic(text, sizeof text - 1);
  u64 number = layer->written++;
  layer->encrypter.methods->pass(&result, layer->encrypter.object, &message, number);
  take(&result);
  out[0] = result.words[0] + layer->written;
}
#else
APART void seal(u64 *out, struct layer *layer, void *message) {
  struct result result;
  u64 number = layer->written;
  if (number >= (u64)-2 && number != layer->most) {
    static const char text[] = "assertion failed: self.next_pre_encrypt_action() != PreEncryptAction::Refuse";
    panic(text, sizeof text - 1);
  }
#ifndef UNCOUNTED
  layer->written = number + 1;
#endif
  layer->encrypter.methods->pass(&result, layer->encrypter.object, message, number);
  take(&result);
  out[0] = result.words[0];
}

#endif

static inline __attribute__((always_inline)) void open_one(u64 *out, struct layer *layer, u64 *input) {
  struct result result;
  u64 copy[2] = {input[0], input[1]};
  u64 number = layer->read;
#ifdef OLD
  if (number == 0xffffffffffff0000) take(out);
#endif
  layer->decrypter.methods->pass(&result, layer->decrypter.object, copy, number);
  if (result.kind != 22) return;
  layer->read = number + 1;
  out[0] = result.words[0];
  out[1] = number == 0xffffffffffff0000;
}

#ifndef NO_OPEN
APART void open(u64 *out, struct layer *layer, u64 *input) { open_one(out, layer, input); }
#endif
#ifdef TWICE
APART void open_all(u64 *out, struct layer *layer, u64 *input) {
  for (int i = 0; i < 8; ++i) {
    take(out);
    open_one(out + 2 * i, layer, input + 2 * i);
  }
}
#endif

__attribute__((visibility("default"))) void run(u64 *out, struct layer *layer, u64 *words) {
  seal(out, layer, words);
  seal(out, layer, words + 1);
#ifndef NO_OPEN
  open(out, layer, words);
  open(out, layer, words + 2);
#endif
#ifdef TWICE
  open_all(out, layer, words);
#endif
}
