// What Debian's libssl.a and libcrypto.a, which were made for glibc, want and musl does not have: the
// checking forms of functions, without the check, and contexts, which only OpenSSL's unused async jobs want.
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

void* __memcpy_chk(void* to, const void* from, size_t bytes, size_t room) {
  (void)room;
  return memcpy(to, from, bytes);
}

void* __memset_chk(void* to, int byte, size_t bytes, size_t room) {
  (void)room;
  return memset(to, byte, bytes);
}

int __vfprintf_chk(FILE* file, int flag, const char* format, va_list arguments) {
  (void)flag;
  return vfprintf(file, format, arguments);
}

int __fprintf_chk(FILE* file, int flag, const char* format, ...) {
  (void)flag;
  va_list arguments;
  va_start(arguments, format);
  const int result = vfprintf(file, format, arguments);
  va_end(arguments);
  return result;
}

int __sprintf_chk(char* to, int flag, size_t room, const char* format, ...) {
  (void)flag;
  va_list arguments;
  va_start(arguments, format);
  const int result = vsnprintf(to, room, format, arguments);
  va_end(arguments);
  return result;
}

long __fdelt_chk(long fd) { return fd / (8 * (long)sizeof(long)); }

int getcontext(void* context) {
  (void)context;
  return -1;
}

int setcontext(const void* context) {
  (void)context;
  return -1;
}

void makecontext(void* context, void (*function)(void), int count, ...) {
  (void)context;
  (void)function;
  (void)count;
}
