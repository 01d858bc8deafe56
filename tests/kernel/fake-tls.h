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
  int blocked; // so many calls return -1
  int descriptor; // where fake_write sends its bytes; 0: nowhere
  struct fake_shown* shown; // what fake_take takes
};

int fake_read(struct fake_session* session, void* buffer, int size);
int fake_write(struct fake_session* session, const void* buffer, int size);
int fake_write_ex(struct fake_session* session, const void* buffer, size_t size, size_t* moved);
void fake_take(struct fake_session* session, unsigned long count);
int fake_handshake(struct fake_session* session);
long fake_control(struct fake_session* session, int command, long number, void* pointer);
int fake_set_fd(struct fake_session* session, int descriptor);
void fake_free(struct fake_session* session);

#ifdef __cplusplus
}
#endif
