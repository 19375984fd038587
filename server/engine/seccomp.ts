/**
 * Which system calls a container's processes may make. Everything that isn't named here is refused, as in the engine's own
 * profile; narrower than that in what apps have no use for and kernels had their holes in: io_uring, the kernel's key rings,
 * bpf, userfaultfd, new name spaces, mounts, handles of files, and sockets of other than the usual families.
 *
 * The same for all kinds of containers: none of the few that keep a capability needs a call beyond these. Names that a
 * kernel or the engine's library doesn't know are ignored by it. Pure.
 */

/** By what they are for; a new kernel's additions belong into their row. */
const allowed: Readonly<Record<string, string>> = {
  processes: `execve execveat exit exit_group fork vfork wait4 waitid waitpid getpid getppid gettid getpgid getpgrp getsid
    setpgid setsid set_tid_address set_robust_list get_robust_list set_thread_area get_thread_area arch_prctl modify_ldt
    prctl rseq membarrier kill tkill tgkill pidfd_open pidfd_send_signal restart_syscall pause ptrace process_vm_readv
    process_vm_writev process_mrelease sysinfo uname getcpu cacheflush breakpoint set_tls
    riscv_flush_icache riscv_hwprobe`,
  users: `getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32
    getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32
    setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset umask`,
  limits: `getrlimit ugetrlimit setrlimit prlimit64 getrusage getpriority setpriority ioprio_get ioprio_set
    sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam sched_getscheduler
    sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64
    sched_yield seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self`,
  signals: `rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn rt_sigsuspend
    rt_sigtimedwait rt_sigtimedwait_time64 sigaltstack sigprocmask sigreturn signalfd signalfd4`,
  memory: `brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock munlockall mseal
    map_shadow_stack remap_file_pages pkey_alloc pkey_free pkey_mprotect memfd_create memfd_secret shmget shmat shmctl
    shmdt`,
  time: `time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
    clock_nanosleep_time64 nanosleep alarm getitimer setitimer times timer_create timer_delete timer_getoverrun
    timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64
    timerfd_settime timerfd_settime64 adjtimex clock_adjtime clock_adjtime64`,
  waiting: `futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue poll ppoll ppoll_time64 select _newselect
    pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait
    epoll_pwait2 eventfd eventfd2 inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark io_setup
    io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64`,
  'reading and writing': `read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek
    sendfile sendfile64 copy_file_range splice tee vmsplice readahead fadvise64 fadvise64_64 arm_fadvise64_64 fsync
    fdatasync sync syncfs sync_file_range sync_file_range2 arm_sync_file_range truncate truncate64 ftruncate ftruncate64
    fallocate cachestat`,
  descriptors: `open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 flock ioctl pipe pipe2`,
  files: `access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64
    fstatfs fstatfs64 chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 lchown lchown32 fchownat utime utimes
    futimesat utimensat utimensat_time64 link linkat symlink symlinkat readlink readlinkat unlink unlinkat rename renameat
    renameat2 mknod mknodat mkdir mkdirat rmdir chdir fchdir chroot getcwd getdents getdents64 name_to_handle_at getxattr
    lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr llistxattr flistxattr listxattrat
    removexattr lremovexattr fremovexattr removexattrat`,
  sockets: `socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt send
    sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64`,
  'between processes': `ipc semget semctl semop semtimedop semtimedop_time64 msgget msgctl msgsnd msgrcv mq_open mq_unlink
    mq_getsetattr mq_notify mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64`,
  other: 'getrandom',
}

interface Argument {
  readonly index: number
  readonly value: number
  readonly valueTwo?: number
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_MASKED_EQ'
}

interface Rule {
  readonly names: readonly string[]
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO'
  readonly errnoRet?: number
  readonly args?: readonly Argument[]
}

const enosys = 38

/** unix, inet, inet6, netlink (which is how programs list interfaces). */
const socketFamilies = [1, 2, 10, 16]

/** Asking for one's own, and what 32-bit programs and debuggers (no random addresses) set. */
const personalities = [0x0, 0x8, 0x20000, 0x20008, 0x40000, 0xffffffff]

/** The CLONE_NEW… flags of clone(2): mount, cgroup, uts, ipc, user, pid and network name spaces. */
const namespaceFlags = 0x7e020000

const when = (name: string, args: readonly Argument[]): Rule => ({ names: [name], action: 'SCMP_ACT_ALLOW', args })

function equals(index: number, value: number): Argument {
  return { index, value, op: 'SCMP_CMP_EQ' }
}

function rules(): Rule[] {
  return [
    { names: Object.values(allowed).flatMap((row) => row.split(/\s+/)), action: 'SCMP_ACT_ALLOW' },
    ...socketFamilies.map((family) => when('socket', [equals(0, family)])),
    ...personalities.map((personality) => when('personality', [equals(0, personality)])),
    when('clone', [{ index: 0, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]),
    // Its flags are in memory, where no filter sees them; libraries that hear of no such call use clone.
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys },
    // libuv and others ask whether it is there, and do without.
    { names: ['io_uring_setup', 'io_uring_enter', 'io_uring_register'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys },
  ]
}

/** The profile as the engine takes it, in one line. */
export const seccompProfile: string = JSON.stringify({
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 1,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
    { architecture: 'SCMP_ARCH_RISCV64', subArchitectures: [] },
  ],
  syscalls: rules(),
})
