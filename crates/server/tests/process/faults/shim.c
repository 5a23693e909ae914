/*
 * Fault injection for the tests: loaded into the server with LD_PRELOAD, it counts the system calls that a
 * change makes and lets one of them (or all from one on) fail.
 *
 * Only calls in scope are counted: files below FAULTS_DIRECTORY, and sockets whose peer has the port in the
 * control page. The test writes the control page (struct control, a file named by FAULTS_CONTROL that is
 * mapped here) and reads the counters from it while the server runs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Where a call goes. The numbers here and below are those of control.rs. */
enum scope { DATABASE = 1, USAGE_LOG = 2, MAIN_FILE = 4, SOCKET = 8 };
enum op {
    WRITE = 1, SYNC = 2, TRUNCATE = 4, OPEN = 8, UNLINK = 16, RENAME = 32, MAP = 64, READ = 128, LOCK = 256,
    SEND = 512, RECEIVE = 1024
};
enum fault {
    /* The call is not made and answers an error. */
    NO_SPACE = 1, IO_ERROR, INTERRUPTED, RESET,
    /* Half the bytes are transferred. */
    SHORT,
    /* The process dies before, after, or in the middle of the call. */
    KILL_BEFORE, KILL_AFTER, KILL_TORN,
    /* The bytes are sent, and the connection ends before the answer can be read. */
    LOST_ANSWER,
    /* The call waits until the test says `resume`. */
    PAUSE
};

struct control {
    uint32_t armed, scope, ops, position, fault, times, port;
    uint32_t seen, fired, fired_op, paused, resume, paused_port, unused[3];
    /* The kind of each call that was counted. */
    uint16_t trace[1024];
};

static struct control *control;
static const char *directory, *usage_log;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAULTS_CONTROL");
    directory = getenv("FAULTS_DIRECTORY");
    usage_log = getenv("FAULTS_USAGE_LOG");
    if (!path || !directory || !usage_log) return;
    int fd = open(path, O_RDWR);
    if (fd < 0) abort();
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) abort();
    control = page;
    close(fd);
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static uint32_t scope_of_path(const char *path) {
    size_t length = strlen(directory);
    if (strncmp(path, directory, length) != 0) return 0;
    if (strncmp(path, usage_log, strlen(usage_log)) == 0) return USAGE_LOG;
    size_t end = strlen(path);
    int is_main = end > 3 && strcmp(path + end - 3, ".db") == 0;
    return DATABASE | (is_main ? MAIN_FILE : 0);
}

static uint32_t scope_of_file(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return scope_of_path(path);
}

static uint32_t port_of(int fd, int (*ask)(int, struct sockaddr *, socklen_t *)) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (ask(fd, (struct sockaddr *)&address, &length) != 0) return 0;
    if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return 0;
}

/* Whether calls of this kind are looked at now: cheap, and asked before anything else. */
static int wanted(uint32_t op) {
    return control && __atomic_load_n(&control->armed, __ATOMIC_ACQUIRE) && (control->ops & op);
}

/* Counts a call in scope; answers the fault to make of it, 0 for none. */
static uint32_t count(uint32_t op, uint32_t scope) {
    if (!(scope & control->scope)) return 0;
    uint32_t number = __atomic_add_fetch(&control->seen, 1, __ATOMIC_ACQ_REL);
    if (number <= 1024) control->trace[number - 1] = (uint16_t)op;
    if (number < control->position || number - control->position >= control->times) return 0;
    /* Files are never read short in the middle, and SQLite takes what is missing for zeros. */
    if (op == READ && control->fault == SHORT) return 0;
    __atomic_add_fetch(&control->fired, 1, __ATOMIC_ACQ_REL);
    control->fired_op = op;
    return control->fault;
}

static void die(void) {
    raise(SIGKILL);
    for (;;) pause();
}

static uint32_t on_file(int fd, uint32_t op) { return wanted(op) ? count(op, scope_of_file(fd)) : 0; }
static uint32_t on_path(const char *path, uint32_t op) {
    return wanted(op) && path ? count(op, scope_of_path(path)) : 0;
}

/* Whether `fault` answers an error; sets errno. A SIGKILL that is due before the call happens here. */
static int refuses(uint32_t fault) {
    switch (fault) {
    case NO_SPACE: errno = ENOSPC; return 1;
    case IO_ERROR: errno = EIO; return 1;
    case INTERRUPTED: errno = EINTR; return 1;
    case RESET: errno = ECONNRESET; return 1;
    case KILL_BEFORE: die(); return 1;
    default: return 0;
    }
}

#define HALF(length) ((length) > 1 ? (length) / 2 : (length))

/* A call that moves bytes: REST is called with the number of bytes to move. */
#define TRANSFER(fault, length, REST) \
    if (refuses(fault)) return -1; \
    if (fault == SHORT) length = HALF(length); \
    if (fault == KILL_TORN) { length = HALF(length); (void)!REST; die(); } \
    ssize_t answer = REST; \
    if (fault == KILL_AFTER) die(); \
    return answer

#define SIMPLE(fault, REST) \
    if (refuses(fault)) return -1; \
    int answer = REST; \
    if (fault == KILL_AFTER || fault == KILL_TORN) die(); \
    return answer

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    REAL(pwrite64);
    uint32_t fault = on_file(fd, WRITE);
    TRANSFER(fault, length, real(fd, bytes, length, at));
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t at) {
    REAL(pread64);
    uint32_t fault = on_file(fd, READ);
    TRANSFER(fault, length, real(fd, bytes, length, at));
}

int fsync(int fd) {
    REAL(fsync);
    uint32_t fault = on_file(fd, SYNC);
    SIMPLE(fault, real(fd));
}

int fdatasync(int fd) {
    REAL(fdatasync);
    uint32_t fault = on_file(fd, SYNC);
    SIMPLE(fault, real(fd));
}

int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64);
    uint32_t fault = on_file(fd, TRUNCATE);
    SIMPLE(fault, real(fd, length));
}

int unlink(const char *path) {
    REAL(unlink);
    uint32_t fault = on_path(path, UNLINK);
    SIMPLE(fault, real(path));
}

int rename(const char *from, const char *to) {
    REAL(rename);
    uint32_t fault = on_path(from, RENAME);
    SIMPLE(fault, real(from, to));
}

#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        uint32_t fault = on_path(path, OPEN); \
        SIMPLE(fault, real(path, flags, mode)); \
    }
OPENS(open)
OPENS(open64)

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
    REAL(mmap64);
    uint32_t fault = fd >= 0 ? on_file(fd, MAP) : 0;
    if (refuses(fault)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return real(at, length, protection, flags, fd, offset);
}

/* SQLite takes and gives back its locks with this one. */
int fcntl64(int fd, int command, ...) {
    REAL(fcntl64);
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    /* Giving a lock back does not fail on a local file system. */
    int takes = command == F_SETLK && ((struct flock *)argument)->l_type != F_UNLCK;
    uint32_t fault = takes ? on_file(fd, LOCK) : 0;
    SIMPLE(fault, real(fd, command, argument));
}

static uint32_t on_socket(int fd, uint32_t op) {
    uint32_t fault = port_of(fd, getpeername) == control->port ? count(op, SOCKET) : 0;
    if (fault == PAUSE) {
        control->paused_port = port_of(fd, getsockname);
        __atomic_store_n(&control->paused, 1, __ATOMIC_RELEASE);
        while (!__atomic_load_n(&control->resume, __ATOMIC_ACQUIRE)) usleep(200);
    }
    if (fault == RESET) shutdown(fd, SHUT_RDWR);
    return fault;
}

/* A plain `write` or `writev` may be of the usage log or of a socket. */
static uint32_t on_either(int fd, uint32_t op, uint32_t socket_op) {
    if (wanted(op)) return on_file(fd, op);
    return wanted(socket_op) ? on_socket(fd, socket_op) : 0;
}

static ssize_t sent(int fd, uint32_t fault, ssize_t answer) {
    if (fault == KILL_AFTER) die();
    /* What was sent still arrives, followed by the end of the connection. */
    if (fault == LOST_ANSWER) shutdown(fd, SHUT_RDWR);
    return answer;
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    REAL(send);
    uint32_t fault = wanted(SEND) ? on_socket(fd, SEND) : 0;
    if (refuses(fault)) return -1;
    if (fault == SHORT || fault == KILL_TORN) length = HALF(length);
    ssize_t answer = real(fd, bytes, length, flags);
    if (fault == KILL_TORN) die();
    return sent(fd, fault, answer);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    uint32_t fault = on_either(fd, WRITE, SEND);
    if (refuses(fault)) return -1;
    if (fault == SHORT || fault == KILL_TORN) length = HALF(length);
    ssize_t answer = real(fd, bytes, length);
    if (fault == KILL_TORN) die();
    return sent(fd, fault, answer);
}

ssize_t writev(int fd, const struct iovec *parts, int number) {
    REAL(writev);
    uint32_t fault = on_either(fd, WRITE, SEND);
    if (refuses(fault)) return -1;
    if (fault == SHORT || fault == KILL_TORN) number = 1;
    ssize_t answer = real(fd, parts, number);
    if (fault == KILL_TORN) die();
    return sent(fd, fault, answer);
}

/* Only a call that would answer bytes, or the end of the connection, is counted: how often an empty socket is
 * asked depends on nothing but time. */
ssize_t recv(int fd, void *bytes, size_t length, int flags) {
    REAL(recv);
    if (!wanted(RECEIVE) || port_of(fd, getpeername) != control->port) return real(fd, bytes, length, flags);
    char first;
    if (real(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) < 0) return real(fd, bytes, length, flags);
    uint32_t fault = on_socket(fd, RECEIVE);
    TRANSFER(fault, length, real(fd, bytes, length, flags));
}
