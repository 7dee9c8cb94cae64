/*
 * Records what a process does to files, in order, with the data: preloaded into the writer of the power loss tests.
 *
 * A seccomp filter turns each system call that changes files into a signal, whichever library makes it (some go past
 * libc); the handler makes the call itself, from the one place that the filter lets through, and notes it. One lock
 * makes the notes' order the order in which things happened.
 *
 * ANABRANCH_RECORD       the file that takes the notes
 * ANABRANCH_RECORD_ROOT  a directory of the file system whose files matter
 * ANABRANCH_FAIL_SYNC    which sync, counted from 1, fails with EIO, once; and nothing it should have made durable is
 *
 * A note: operation (1 byte), number (8), position or length (8), bytes that follow (4, 4); all little-endian.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

enum { CREATE = 1, MKDIR, RENAME, UNLINK, RMDIR, WRITE, RESIZE, SYNC, SYNC_FAILED, UNKNOWN };

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
__asm__(".text\n.globl raw\nraw:\n"
        "mov %rdi,%rax\nmov %rsi,%rdi\nmov %rdx,%rsi\nmov %rcx,%rdx\nmov %r8,%r10\nmov %r9,%r8\nmov 8(%rsp),%r9\n"
        "syscall\n.globl raw_after\nraw_after:\nret\n");
#define REG(context, n) ((context)->uc_mcontext.gregs[(const int[]){REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9}[n]])
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
__asm__(".text\n.globl raw\nraw:\n"
        "mov x8,x0\nmov x0,x1\nmov x1,x2\nmov x2,x3\nmov x3,x4\nmov x4,x5\nmov x5,x6\n"
        "svc #0\n.globl raw_after\nraw_after:\nret\n");
#define REG(context, n) ((context)->uc_mcontext.regs[n])
#define RESULT(context) ((context)->uc_mcontext.regs[0])
#else
#error "no recorder for this processor"
#endif

long raw(long number, long a, long b, long c, long d, long e, long f) __attribute__((visibility("hidden")));
extern char raw_after[] __attribute__((visibility("hidden")));
#define CALL(number, ...) raw_(number, ##__VA_ARGS__, 0L, 0L, 0L, 0L, 0L, 0L)
#define raw_(number, a, b, c, d, e, f, ...) \
    raw(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static int notes = -1;
static dev_t device;
static long fail_sync, syncs;
static char lock_flag;

static void lock(void) {
    while (__atomic_test_and_set(&lock_flag, __ATOMIC_ACQUIRE)) CALL(SYS_sched_yield);
}

static void unlock(void) { __atomic_clear(&lock_flag, __ATOMIC_RELEASE); }

static void die(const char *why) {
    CALL(SYS_write, 2, why, strlen(why));
    CALL(SYS_exit_group, 99);
}

static void put(const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        long done = CALL(SYS_write, notes, at, length);
        if (done <= 0) die("the recorder cannot write\n");
        at += done;
        length -= done;
    }
}

static void note(uint8_t operation, uint64_t number, uint64_t position, const void *a, uint32_t a_length, const void *b,
                 uint32_t b_length) {
    char head[25];
    head[0] = (char)operation;
    memcpy(head + 1, &number, 8);
    memcpy(head + 9, &position, 8);
    memcpy(head + 17, &a_length, 4);
    memcpy(head + 21, &b_length, 4);
    put(head, sizeof head);
    put(a, a_length);
    put(b, b_length);
}

/* The number of the file behind a descriptor; 0 for what is no file or directory where it matters. */
static uint64_t number_of(int fd) {
    struct stat found;
    if (fd == notes || CALL(SYS_fstat, fd, &found) != 0 || found.st_dev != device) return 0;
    return S_ISREG(found.st_mode) || S_ISDIR(found.st_mode) ? found.st_ino : 0;
}

static void resolve(char *out, int dir, const char *path) {
    size_t length = 0;
    if (path[0] != '/') {
        char link[40];
        if (dir == AT_FDCWD) strcpy(link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        long found = CALL(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
        if (found < 0) die("the recorder cannot tell a directory\n");
        length = found;
        out[length++] = '/';
    }
    if (length + strlen(path) >= PATH_MAX) die("a path is too long for the recorder\n");
    strcpy(out + length, path);
}

static int there(const char *path, struct stat *found) {
    return CALL(SYS_newfstatat, AT_FDCWD, path, found, AT_SYMLINK_NOFOLLOW) == 0;
}

static long opened(int dir, const char *name, long flags, long mode) {
    if ((flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC))) return CALL(SYS_openat, dir, name, flags, mode);
    char path[PATH_MAX];
    struct stat found;
    resolve(path, dir, name);
    int existed = there(path, &found);
    long fd = CALL(SYS_openat, dir, name, flags, mode);
    uint64_t number = fd >= 0 ? number_of((int)fd) : 0;
    if (number == 0) return fd;
    if ((flags & O_TMPFILE) == O_TMPFILE || (flags & O_DSYNC)) note(UNKNOWN, SYS_openat, flags, "", 0, "", 0);
    if (!existed) note(CREATE, number, 0, path, strlen(path), "", 0);
    else if (flags & O_TRUNC) note(RESIZE, number, 0, "", 0, "", 0);
    return fd;
}

/* After a write that went to the descriptor's position. */
static void wrote(int fd, uint64_t number, const struct iovec *parts, long done) {
    uint64_t position = CALL(SYS_lseek, fd, 0, SEEK_CUR) - done;
    for (; done > 0; parts++) {
        uint32_t length = parts->iov_len < (size_t)done ? parts->iov_len : (size_t)done;
        note(WRITE, number, position, parts->iov_base, length, "", 0);
        position += length;
        done -= length;
    }
}

static long synced(long call, int fd) {
    uint64_t number = number_of(fd);
    if (number == 0) return CALL(call, fd);
    /* What counts is the note: a real sync would only take time. */
    int fails = ++syncs == fail_sync;
    note(fails ? SYNC_FAILED : SYNC, number, 0, "", 0, "", 0);
    return fails ? -EIO : 0;
}

static long renamed(int from_dir, const char *from, int to_dir, const char *to) {
    char old[PATH_MAX], new[PATH_MAX];
    resolve(old, from_dir, from);
    resolve(new, to_dir, to);
    long result = CALL(SYS_renameat, from_dir, from, to_dir, to);
    if (result == 0) note(RENAME, 0, 0, old, strlen(old), new, strlen(new));
    return result;
}

static long removed(int dir, const char *name, long flags) {
    char path[PATH_MAX];
    resolve(path, dir, name);
    long result = CALL(SYS_unlinkat, dir, name, flags);
    if (result == 0) note(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, 0, path, strlen(path), "", 0);
    return result;
}

static long made(int dir, const char *name, long mode) {
    char path[PATH_MAX];
    struct stat found;
    resolve(path, dir, name);
    long result = CALL(SYS_mkdirat, dir, name, mode);
    if (result == 0 && there(path, &found)) note(MKDIR, found.st_ino, 0, path, strlen(path), "", 0);
    return result;
}

static long carry_out(long call, long a, long b, long c, long d, long e, long f) {
    long result;
    uint64_t number;
    switch (call) {
    case SYS_openat: return opened(a, (char *)b, c, d);
    case SYS_write:
        number = number_of(a);
        result = CALL(call, a, b, c);
        if (number && result > 0) wrote(a, number, &(struct iovec){(void *)b, c}, result);
        return result;
    case SYS_writev:
        number = number_of(a);
        result = CALL(call, a, b, c);
        if (number && result > 0) wrote(a, number, (struct iovec *)b, result);
        return result;
    case SYS_pwrite64:
        number = number_of(a);
        result = CALL(call, a, b, c, d);
        if (number && result > 0) note(WRITE, number, d, (void *)b, result, "", 0);
        return result;
    case SYS_ftruncate:
        number = number_of(a);
        result = CALL(call, a, b);
        if (number && result == 0) note(RESIZE, number, b, "", 0, "", 0);
        return result;
    case SYS_fsync:
    case SYS_fdatasync: return synced(call, a);
    case SYS_renameat: return renamed(a, (char *)b, c, (char *)d);
    case SYS_renameat2:
        if (e) note(UNKNOWN, call, e, "", 0, "", 0);
        return renamed(a, (char *)b, c, (char *)d);
    case SYS_unlinkat: return removed(a, (char *)b, c);
    case SYS_mkdirat: return made(a, (char *)b, c);
#ifdef SYS_open
    case SYS_open: return opened(AT_FDCWD, (char *)a, b, c);
    case SYS_creat: return opened(AT_FDCWD, (char *)a, O_CREAT | O_WRONLY | O_TRUNC, b);
    case SYS_rename: return renamed(AT_FDCWD, (char *)a, AT_FDCWD, (char *)b);
    case SYS_unlink: return removed(AT_FDCWD, (char *)a, 0);
    case SYS_rmdir: return removed(AT_FDCWD, (char *)a, AT_REMOVEDIR);
    case SYS_mkdir: return made(AT_FDCWD, (char *)a, b);
#endif
    case SYS_mmap:
        if ((c & PROT_WRITE) && (d & MAP_TYPE) != MAP_PRIVATE && !(d & MAP_ANONYMOUS) && number_of(e))
            note(UNKNOWN, call, 0, "", 0, "", 0);
        return CALL(call, a, b, c, d, e, f);
    default: /* Nobody used these so far; the test says so if somebody does. */
        note(UNKNOWN, call, 0, "", 0, "", 0);
        return CALL(call, a, b, c, d, e, f);
    }
}

static const int TRAPPED[] = {
    SYS_openat, SYS_write, SYS_writev, SYS_pwrite64, SYS_ftruncate, SYS_fsync, SYS_fdatasync, SYS_renameat,
    SYS_renameat2, SYS_unlinkat, SYS_mkdirat, SYS_mmap, SYS_pwritev, SYS_truncate, SYS_fallocate, SYS_linkat,
    SYS_symlinkat, SYS_copy_file_range, SYS_sendfile, SYS_splice,
#ifdef SYS_open
    SYS_open, SYS_creat, SYS_rename, SYS_unlink, SYS_rmdir, SYS_mkdir, SYS_link, SYS_symlink,
#endif
#ifdef SYS_pwritev2
    SYS_pwritev2,
#endif
#ifdef SYS_openat2
    SYS_openat2,
#endif
#ifdef SYS_io_uring_setup
    SYS_io_uring_setup,
#endif
};

static void trapped(int signal, siginfo_t *info, void *opaque) {
    ucontext_t *at = opaque;
    (void)signal;
    lock();
    RESULT(at) =
        carry_out(info->si_syscall, REG(at, 0), REG(at, 1), REG(at, 2), REG(at, 3), REG(at, 4), REG(at, 5));
    unlock();
}

static void filter(void) {
    enum { COUNT = sizeof TRAPPED / sizeof *TRAPPED };
    struct sock_filter code[8 + COUNT + 2];
    uint64_t own = (uint64_t)(uintptr_t)raw_after;
    size_t n = 0;
#define LOAD(field, plus) \
    (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + (plus))
#define EQUAL(value, yes, no) (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), yes, no)
    code[n++] = LOAD(arch, 0);
    code[n++] = EQUAL(ARCH, 0, 5 + COUNT);
    code[n++] = LOAD(instruction_pointer, 0);
    code[n++] = EQUAL(own, 0, 2);
    code[n++] = LOAD(instruction_pointer, 4);
    code[n++] = EQUAL(own >> 32, 1 + COUNT, 0);
    code[n++] = LOAD(nr, 0);
    for (size_t i = 0; i < COUNT; i++) code[n++] = EQUAL(TRAPPED[i], COUNT - i, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog program = {.len = n, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        die("the recorder cannot install its filter\n");
}

__attribute__((constructor)) static void start(void) {
    const char *file = getenv("ANABRANCH_RECORD"), *root = getenv("ANABRANCH_RECORD_ROOT");
    const char *fail = getenv("ANABRANCH_FAIL_SYNC");
    struct stat found;
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
    if (file == NULL || root == NULL || stat(root, &found) != 0) die("the recorder is not told what to record\n");
    device = found.st_dev;
    fail_sync = fail == NULL ? 0 : atol(fail);
    notes = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (notes < 0 || sigaction(SIGSYS, &action, NULL) != 0) die("the recorder cannot start\n");
    filter();
}
