/* Preloaded: counts the file operations that change something below a folder, and lets the one of a given number fail
   (an error of the system, a short write and then a full disk) or be the last one before the process is killed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { COUNT, ERROR, FULL, KILL };
static char root[4096];
static size_t root_length;
static atomic_long count, target;
static atomic_int mode, full;

void fault_arm(const char *folder, long number, int how) {
    strncpy(root, folder, sizeof root - 1);
    root_length = strlen(root);
    count = 0;
    full = 0;
    target = number;
    mode = how;
}

long fault_count(void) { return count; }

static int below(int folder, const char *path) {
    char whole[8192], link[64];
    if (!root_length || !path) return 0;
    if (path[0] == '/') return !strncmp(path, root, root_length);
    if (folder == AT_FDCWD) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t size = readlink(link, whole, sizeof whole - 1);
    return size > 0 && (size_t)size >= root_length && !strncmp(whole, root, root_length);
}

static int is_hit(void) { return atomic_fetch_add(&count, 1) + 1 == target; }

/* 1: the operation is to fail, and errno says how; 0: go on. */
static int fails(int folder, const char *path, int grows) {
    if (!below(folder, path)) return 0;
    if (full && grows) { errno = ENOSPC; return 1; }
    if (!is_hit()) return 0;
    if (mode == KILL) { raise(SIGKILL); }
    if (mode == FULL) { full = 1; if (!grows) return 0; errno = ENOSPC; return 1; }
    if (mode == ERROR) { errno = EIO; return 1; }
    return 0;
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)
#define CHANGES(flags) ((flags) & (O_CREAT | O_WRONLY | O_RDWR | O_TRUNC))

static mode_t given(int flags, va_list list) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; }

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, #name, const char *, int, ...); \
        va_list list; va_start(list, flags); mode_t bits = given(flags, list); va_end(list); \
        if (CHANGES(flags) && fails(AT_FDCWD, path, flags & O_CREAT)) return -1; \
        return real(path, flags, bits); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        REAL(int, #name, int, const char *, int, ...); \
        va_list list; va_start(list, flags); mode_t bits = given(flags, list); va_end(list); \
        if (CHANGES(flags) && fails(folder, path, flags & O_CREAT)) return -1; \
        return real(folder, path, flags, bits); \
    }
OPENAT(openat)
OPENAT(openat64)

static int fd_below(int fd) { return fd > 2 && below(fd, "."); }

/* The number of bytes to write; -1: none, with errno. After a torn write the process is killed by the caller. */
static ssize_t allowed(int fd, size_t size, int *kill_after) {
    *kill_after = 0;
    if (!fd_below(fd)) return (ssize_t)size;
    if (full) { errno = ENOSPC; return -1; }
    if (!is_hit()) return (ssize_t)size;
    if (mode == ERROR) { errno = EIO; return -1; }
    if (mode == FULL) { full = 1; if (size < 2) { errno = ENOSPC; return -1; } return (ssize_t)(size / 2); }
    if (mode == KILL) { *kill_after = 1; return (ssize_t)(size / 2); }
    return (ssize_t)size;
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    int kill_after;
    ssize_t some = allowed(fd, size, &kill_after);
    ssize_t done = some < 0 ? -1 : real(fd, data, (size_t)some);
    if (kill_after) raise(SIGKILL);
    return done;
}

#define PWRITE(name, offset_type) \
    ssize_t name(int fd, const void *data, size_t size, offset_type at) { \
        REAL(ssize_t, #name, int, const void *, size_t, offset_type); \
        int kill_after; \
        ssize_t some = allowed(fd, size, &kill_after); \
        ssize_t done = some < 0 ? -1 : real(fd, data, (size_t)some, at); \
        if (kill_after) raise(SIGKILL); \
        return done; \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define TRUNCATE(name, type) \
    int name(int fd, type size) { \
        REAL(int, #name, int, type); \
        if (fd_below(fd) && fails(fd, ".", 0)) return -1; \
        return real(fd, size); \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int rename(const char *old, const char *new) {
    REAL(int, "rename", const char *, const char *);
    return fails(AT_FDCWD, new, 0) ? -1 : real(old, new);
}

int renameat(int a, const char *old, int b, const char *new) {
    REAL(int, "renameat", int, const char *, int, const char *);
    return fails(b, new, 0) ? -1 : real(a, old, b, new);
}

int renameat2(int a, const char *old, int b, const char *new, unsigned flags) {
    REAL(int, "renameat2", int, const char *, int, const char *, unsigned);
    return fails(b, new, 0) ? -1 : real(a, old, b, new, flags);
}

int mkdir(const char *path, mode_t bits) {
    REAL(int, "mkdir", const char *, mode_t);
    return fails(AT_FDCWD, path, 1) ? -1 : real(path, bits);
}

int mkdirat(int folder, const char *path, mode_t bits) {
    REAL(int, "mkdirat", int, const char *, mode_t);
    return fails(folder, path, 1) ? -1 : real(folder, path, bits);
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    return fails(AT_FDCWD, path, 0) ? -1 : real(path);
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    return fails(folder, path, 0) ? -1 : real(folder, path, flags);
}

int rmdir(const char *path) {
    REAL(int, "rmdir", const char *);
    return fails(AT_FDCWD, path, 0) ? -1 : real(path);
}
