#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fake_shown {
  long unused;
  const char* data;
};

struct fake_session {
  const char* incoming;
  int incoming_bytes;
  int blocked;               // so many calls return -1
  int descriptor;            // where fake_write sends its bytes; 0: nowhere
  struct fake_shown* shown;  // what fake_take takes
};

// A record layer that keeps a box for each direction, as in rustls.
struct fake_layer {
  long unused[2];
  void* boxes[4];  // encrypter, its methods, decrypter, its methods
  unsigned long limit;
  unsigned long sequences[2];
};

struct fake_slice {
  const char* data;
  size_t length;
};

struct fake_message {
  const struct fake_slice* array;  // null: `one` is the message; else of `count` slices what lies from first to end
  union {
    struct fake_slice one;
    struct {
      size_t count, first, end;
    } part;
  } bytes;
  unsigned char type;
};

struct fake_result {
  long kind;
  struct fake_slice plaintext;
  unsigned char type;
};

int fake_read(struct fake_session* session, void* buffer, int size);
int fake_write(struct fake_session* session, const void* buffer, int size);
int fake_write_ex(struct fake_session* session, const void* buffer, size_t size, size_t* moved);
void fake_take(struct fake_session* session, unsigned long count);
int fake_handshake(struct fake_session* session);
long fake_control(struct fake_session* session, int command, long number, void* pointer);
int fake_set_fd(struct fake_session* session, int descriptor);
void fake_free(struct fake_session* session);
void fake_seal(struct fake_layer* layer, const struct fake_message* message, unsigned long sequence);
void fake_open(struct fake_layer* layer, const struct fake_slice* input, struct fake_result* result, void* box,
               unsigned long sequence);
void fake_opened(struct fake_result* result);

#ifdef __cplusplus
}
#endif
