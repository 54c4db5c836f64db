/* Log every operation on the files below one directory, in order and with its bytes; make one of them fail.
 *
 * Preloaded into the process that plays a scenario. It is silent until `crash_arm` says where the directory and the
 * log are. Each record of the log is a header and two byte strings; `recording.py` reads them. What the process writes
 * itself into the log, its acknowledgements, has the same form, so the order of both is the order in which they were.
 *
 * What is not watched (stdio, shared mappings) cannot go unnoticed: whoever reads the log plays it again and compares
 * the result with the files.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DESCRIPTORS_MAX = 1024 };
enum { CREATED = 1, TRUNCATED = 2 };
enum { FAULT_NONE = 0, FAULT_EIO = 1, FAULT_FULL = 2, FAULT_KILL = 3 };

struct header {
    uint32_t kind;
    int32_t descriptor;
    int64_t at; /* An offset, a size, or flags: what the kind says. */
    uint32_t first_bytes;
    uint32_t second_bytes;
};

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_bytes;
static int log_descriptor = -1;
static unsigned char is_watched[DESCRIPTORS_MAX];
static long operations, fault_at;
static int fault_kind, is_full;
static uint64_t entropy_state;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* ------------------------------------------------------------------ what the process asks of us */

void crash_arm(const char *directory, int descriptor, long at, int kind)
{
    strncpy(root, directory, sizeof root - 1);
    root_bytes = strlen(root);
    operations = 0;
    is_full = 0;
    fault_at = at;
    fault_kind = kind;
    log_descriptor = descriptor;
}

/* Seeded, the process draws the same bytes each time: a recording can be made again to the letter. */
void crash_seed(uint64_t seed)
{
    entropy_state = seed;
}

static uint64_t drawn(void)
{
    uint64_t mixed = (entropy_state += 0x9e3779b97f4a7c15ULL);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
    return mixed ^ (mixed >> 31);
}

static void draw(unsigned char *bytes, size_t count)
{
    for (size_t index = 0; index < count; index++)
        bytes[index] = (unsigned char)drawn();
}

/* ------------------------------------------------------------------ the log and the faults */

static void keep(char kind, int descriptor, int64_t at, const void *first, size_t first_bytes, const void *second,
                 size_t second_bytes)
{
    struct header header = {(uint32_t)kind, descriptor, at, (uint32_t)first_bytes, (uint32_t)second_bytes};
    struct iovec parts[3] = {
        {&header, sizeof header}, {(void *)first, first_bytes}, {(void *)second, second_bytes}};
    if (REAL(writev)(log_descriptor, parts, 3) < 0)
        abort(); /* A recording with a hole in it would prove nothing. */
}

static int is_below(const char *path)
{
    return log_descriptor >= 0 && path && strncmp(path, root, root_bytes) == 0
        && (path[root_bytes] == '/' || path[root_bytes] == 0);
}

static int is_tracked(int descriptor)
{
    return log_descriptor >= 0 && descriptor >= 0 && descriptor < DESCRIPTORS_MAX && is_watched[descriptor];
}

/* Count one operation. Returns 0, or the errno it shall fail with; does not return at all if it is to be killed. */
static int counted(int needs_room)
{
    operations++;
    if (is_full && needs_room)
        return ENOSPC;
    if (operations != fault_at || fault_kind == FAULT_NONE)
        return 0;
    if (fault_kind == FAULT_KILL)
        kill(getpid(), SIGKILL);
    if (fault_kind == FAULT_FULL && !needs_room)
        return 0;
    is_full = fault_kind == FAULT_FULL;
    keep('F', -1, operations, NULL, 0, NULL, 0);
    return is_full ? ENOSPC : EIO;
}

static const char *below(const char *path)
{
    return path[root_bytes] ? path + root_bytes + 1 : "";
}

/* ------------------------------------------------------------------ opening and closing */

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode)
{
    if (entropy_state && strcmp(path, "/dev/urandom") == 0) {
        unsigned char bytes[4096];
        int descriptor = memfd_create("entropy", MFD_CLOEXEC);
        draw(bytes, sizeof bytes);
        if (REAL(write)(descriptor, bytes, sizeof bytes) < 0)
            abort();
        lseek(descriptor, 0, SEEK_SET);
        return descriptor;
    }
    if (!is_below(path))
        return real(path, flags, mode);
    pthread_mutex_lock(&turn);
    struct stat before;
    int was_there = stat(path, &before) == 0;
    int makes = (flags & O_CREAT) && !was_there;
    int empties = (flags & O_TRUNC) && was_there;
    int fault = makes || empties ? counted(makes) : 0;
    int descriptor = fault ? -1 : real(path, flags, mode);
    int kept_errno = fault ? fault : errno;
    if (descriptor >= DESCRIPTORS_MAX)
        abort();
    if (descriptor >= 0) {
        int64_t what = (makes ? CREATED : 0) | (empties ? TRUNCATED : 0);
        is_watched[descriptor] = 1;
        keep('O', descriptor, what, below(path), strlen(below(path)), NULL, 0);
    }
    pthread_mutex_unlock(&turn);
    errno = kept_errno;
    return descriptor;
}

#define OPENING(name)                                                                                                  \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                      \
        va_end(rest);                                                                                                  \
        return opened(REAL(name), path, flags, mode);                                                                  \
    }
OPENING(open)
OPENING(open64)

int __open64_2(const char *path, int flags)
{
    return open64(path, flags);
}

int close(int descriptor)
{
    pthread_mutex_lock(&turn);
    if (is_tracked(descriptor)) {
        is_watched[descriptor] = 0;
        keep('C', descriptor, 0, NULL, 0, NULL, 0);
    }
    pthread_mutex_unlock(&turn);
    return REAL(close)(descriptor);
}

/* ------------------------------------------------------------------ what changes a file */

static ssize_t written(int descriptor, const void *bytes, size_t count, int64_t at, int is_positioned)
{
    pthread_mutex_lock(&turn);
    int was_full = is_full;
    int fault = counted(1);
    /* A disk that fills up takes a part of the write first. */
    if (fault == ENOSPC && !was_full && count > 1) {
        count /= 2;
        fault = 0;
    }
    ssize_t done = -1;
    if (!fault)
        done = is_positioned ? REAL(pwrite64)(descriptor, bytes, count, at) : REAL(write)(descriptor, bytes, count);
    int kept_errno = fault ? fault : errno;
    if (done > 0)
        keep('W', descriptor, is_positioned ? at : lseek(descriptor, 0, SEEK_CUR) - done, bytes, (size_t)done, NULL, 0);
    pthread_mutex_unlock(&turn);
    errno = kept_errno;
    return done;
}

ssize_t write(int descriptor, const void *bytes, size_t count)
{
    return is_tracked(descriptor) ? written(descriptor, bytes, count, 0, 0) : REAL(write)(descriptor, bytes, count);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t at)
{
    return is_tracked(descriptor) ? written(descriptor, bytes, count, at, 1)
                                  : REAL(pwrite64)(descriptor, bytes, count, at);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t at)
{
    return pwrite64(descriptor, bytes, count, at);
}

int ftruncate64(int descriptor, off64_t size)
{
    if (!is_tracked(descriptor))
        return REAL(ftruncate64)(descriptor, size);
    pthread_mutex_lock(&turn);
    int fault = counted(0);
    int done = fault ? -1 : REAL(ftruncate64)(descriptor, size);
    int kept_errno = fault ? fault : errno;
    if (!done)
        keep('T', descriptor, size, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&turn);
    errno = kept_errno;
    return done;
}

int ftruncate(int descriptor, off_t size)
{
    return ftruncate64(descriptor, size);
}

static int synced(int (*real)(int), int descriptor)
{
    if (!is_tracked(descriptor))
        return real(descriptor);
    pthread_mutex_lock(&turn);
    int fault = counted(1);
    int done = fault ? -1 : real(descriptor);
    int kept_errno = fault ? fault : errno;
    if (!done)
        keep('S', descriptor, 0, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&turn);
    errno = kept_errno;
    return done;
}

int fsync(int descriptor)
{
    return synced(REAL(fsync), descriptor);
}

int fdatasync(int descriptor)
{
    return synced(REAL(fdatasync), descriptor);
}

/* ------------------------------------------------------------------ what changes a directory */

static int named(char kind, const char *from, const char *to, int needs_room, mode_t mode)
{
    pthread_mutex_lock(&turn);
    int fault = counted(needs_room);
    int done = -1;
    if (!fault)
        done = kind == 'R' ? REAL(rename)(from, to) : kind == 'U' ? REAL(unlink)(from) : REAL(mkdir)(from, mode);
    int kept_errno = fault ? fault : errno;
    if (!done)
        keep(kind, -1, 0, below(from), strlen(below(from)), to ? below(to) : NULL, to ? strlen(below(to)) : 0);
    pthread_mutex_unlock(&turn);
    errno = kept_errno;
    return done;
}

int rename(const char *from, const char *to)
{
    return is_below(from) ? named('R', from, to, 1, 0) : REAL(rename)(from, to);
}

int renameat(int from_in, const char *from, int to_in, const char *to)
{
    return is_below(from) ? named('R', from, to, 1, 0) : REAL(renameat)(from_in, from, to_in, to);
}

int unlink(const char *path)
{
    return is_below(path) ? named('U', path, NULL, 0, 0) : REAL(unlink)(path);
}

int unlinkat(int in, const char *path, int flags)
{
    return is_below(path) && !flags ? named('U', path, NULL, 0, 0) : REAL(unlinkat)(in, path, flags);
}

int mkdir(const char *path, mode_t mode)
{
    return is_below(path) ? named('D', path, NULL, 1, mode) : REAL(mkdir)(path, mode);
}

/* ------------------------------------------------------------------ chance */

ssize_t getrandom(void *bytes, size_t count, unsigned int flags)
{
    if (!entropy_state)
        return REAL(getrandom)(bytes, count, flags);
    pthread_mutex_lock(&turn);
    draw(bytes, count);
    pthread_mutex_unlock(&turn);
    return (ssize_t)count;
}
