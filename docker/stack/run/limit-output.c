/*
 * limit-output LINES BYTES COMMAND [ARGUMENT...]: runs a command and passes on what it prints, so many lines and bytes a
 * second at most; of what is more it prints how many lines were left out.
 *
 * It stands between a dyno's process and the container engine, which copies every line at a cost many times the cost of
 * printing it, outside of the app's limits: what an app prints too fast is counted here, within them.
 *
 * - A line is passed on whole or not at all, and at once, a part of a line too. One so long that it alone exceeds the bytes
 *   is cut. Both outputs share one budget, which holds as much as a second brings.
 * - The command is not made to wait for the budget, nor for the engine when that takes nothing for a while. Only one that
 *   fills the pipe (64 KiB) within the hundredth of a second in which an output over the budget is let be has to wait that
 *   long: a flood keeps no processor busy.
 * - When the command ends, its last words are passed on in any case: they say why. What was left out within its last second
 *   counts as such, 4 KB of it.
 * - The command is the leader of its own process group, gets every signal sent to this process, and its way of ending
 *   becomes the exit status: its own, or 128 and the number of the signal.
 *
 * The control plane reads the line about dropped ones (server/logs/limited-output.ts).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  buffer_size = 32768,
  /* After poll says that a pipe can be written to, so many bytes never block. */
  write_size = 4096,
  patience_ms = 1000,
  last_patience_ms = 5000,
  say_every_ms = 1000,
  rest_ms = 10,
  last_words_size = 4096,
  last_words_ms = 1000,
};

struct stream {
  int in, out;
  char waiting[buffer_size];
  size_t begin, end;
  int64_t blocked_since; /* -1 while what waits can be written */
  int64_t rests_until;   /* not read before, it was over the budget */
  int within_line;       /* the last byte read was no end of a line */
  int dropping;          /* the line being read is left out */
  int out_within_line;   /* the last byte passed on was no end of a line */
  char last_words[last_words_size]; /* a ring: the newest of what was left out since something was passed on */
  uint64_t last_words_end;
  int64_t last_words_at;
};

static double lines_per_second, bytes_per_second, lines_left, bytes_left;
static int64_t filled_at;
/* What was left out and is not said yet, and since when. */
static uint64_t dropped;
static int64_t dropping_since;
static struct stream streams[2];

static int64_t now_ms(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static void fill_budget(int64_t now) {
  double seconds = (double)(now - filled_at) / 1000;
  filled_at = now;
  lines_left += seconds * lines_per_second;
  bytes_left += seconds * bytes_per_second;
  if (lines_left > lines_per_second) lines_left = lines_per_second;
  if (bytes_left > bytes_per_second) bytes_left = bytes_per_second;
}

static void move_to_front(struct stream *s) {
  memmove(s->waiting, s->waiting + s->begin, s->end - s->begin);
  s->end -= s->begin;
  s->begin = 0;
}

static void keep(struct stream *s, const char *from, size_t size) {
  if (size > buffer_size - s->end) size = buffer_size - s->end;
  /* What is kept never is longer than what was read, and lies before it. */
  memmove(s->waiting + s->end, from, size);
  s->end += size;
  s->last_words_end = 0;
  if (size > 0) s->out_within_line = s->waiting[s->end - 1] != '\n';
}

static void leave_out(struct stream *s, const char *from, size_t size) {
  if (size > last_words_size) {
    from += size - last_words_size;
    size = last_words_size;
  }
  size_t at = s->last_words_end % last_words_size;
  size_t first = size < last_words_size - at ? size : last_words_size - at;
  memcpy(s->last_words + at, from, first);
  memcpy(s->last_words, from + first, size - first);
  s->last_words_end += size;
  s->last_words_at = filled_at;
}

/* Sorts what was read behind the waiting bytes into what is passed on and what is counted. */
static void judge(struct stream *s, char *read_at, size_t size, int none) {
  char *end = read_at + size;
  uint64_t dropped_before = dropped;
  while (read_at < end) {
    char *newline = memchr(read_at, '\n', (size_t)(end - read_at));
    size_t length = (size_t)((newline ? newline + 1 : end) - read_at);
    int begins = !s->within_line;
    if (begins) {
      s->dropping = none || lines_left < 1 || bytes_left < (double)length;
      if (s->dropping) dropped++;
      else lines_left -= 1;
    } else if (!s->dropping && (none || bytes_left < (double)length)) {
      /* The rest of a line that has become too long. */
      s->dropping = 1;
      dropped++;
      if (s->out_within_line) keep(s, "\n", 1);
    }
    if (s->dropping) {
      leave_out(s, read_at, length);
    } else {
      bytes_left -= (double)length;
      keep(s, read_at, length);
    }
    s->within_line = newline == NULL;
    read_at += length;
  }
  if (dropped_before == 0) dropping_since = filled_at;
  if (s->dropping || dropped > dropped_before) s->rests_until = filled_at + rest_ms;
}

/*
 * Reads what fits behind the waiting bytes; what does not fit is read all the same, and counted. Bytes read, 0 when there
 * is no more to come, or -1. One byte stays free for a line's end.
 */
static ssize_t take(struct stream *s) {
  static char lost[buffer_size];
  move_to_front(s);
  size_t room = buffer_size - s->end;
  int stuck = room < write_size;
  /* A line's end may have to be put before what is kept of the next one. */
  char *at = stuck ? lost : s->waiting + s->end + 1;
  ssize_t size = read(s->in, at, stuck ? sizeof lost : room - 1);
  if (size > 0) judge(s, at, (size_t)size, stuck);
  return size;
}

static void pass_on(struct stream *s, int64_t now) {
  size_t size = s->end - s->begin;
  ssize_t written = write(s->out, s->waiting + s->begin, size < write_size ? size : write_size);
  if (written < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    written = (ssize_t)size; /* nobody will read it any more */
  }
  s->begin += (size_t)written;
  s->blocked_since = s->begin == s->end ? -1 : now;
}

/* Says on the error output how many lines were left out, between two lines of it. */
static void say_dropped(void) {
  struct stream *s = &streams[1];
  char text[96];
  move_to_front(s);
  int size = snprintf(text, sizeof text, "%spaas: %llu lines left out here, printed too fast\n", s->out_within_line ? "\n" : "",
                      (unsigned long long)dropped);
  if (buffer_size - s->end <= (size_t)size) return;
  uint64_t last_words_end = s->last_words_end;
  keep(s, text, (size_t)size);
  s->last_words_end = last_words_end;
  dropped = 0;
}

static pid_t start(char **command, const sigset_t *mask) {
  int pipes[2][2];
  if (pipe2(pipes[0], O_CLOEXEC) < 0 || pipe2(pipes[1], O_CLOEXEC) < 0) return -1;
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    sigprocmask(SIG_SETMASK, mask, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(pipes[0][1], 1);
    dup2(pipes[1][1], 2);
    execvp(command[0], command);
    fprintf(stderr, "%s: %s\n", command[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
  }
  for (int i = 0; i < 2; i++) {
    close(pipes[i][1]);
    fcntl(pipes[i][0], F_SETFL, O_NONBLOCK);
    streams[i].in = pipes[i][0];
    streams[i].out = i + 1;
    streams[i].blocked_since = -1;
  }
  return pid;
}

/*
 * Whether a process that the engine has started beside the dyno's own, one without a parent in here, sent a signal. The
 * platform tells all processes to stop like that, the command among them, and a second SIGTERM has some end at once. Such a
 * process may be gone by now. The engine's own signals come by process 1.
 */
static int comes_from_outside(pid_t sender) {
  char path[32], stat[256];
  int parent;
  if (sender == 1) return 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)sender);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 1;
  ssize_t size = read(file, stat, sizeof stat - 1);
  close(file);
  if (size <= 0) return 1;
  stat[size] = '\0';
  /* A name may hold anything but ends at the last parenthesis. */
  const char *name_end = strrchr(stat, ')');
  return name_end == NULL || sscanf(name_end + 1, " %*c %d", &parent) != 1 || parent == 0;
}

/* Passes signals on to the command. True when it has ended, with how it did. */
static int heed_signals(int signals, pid_t pid, int *status) {
  struct signalfd_siginfo info;
  int ended = 0;
  while (read(signals, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGTERM && comes_from_outside((pid_t)info.ssi_pid)) continue;
    if (info.ssi_signo != SIGCHLD) kill(pid, (int)info.ssi_signo);
    else if (waitpid(pid, status, WNOHANG) == pid) ended = 1;
  }
  return ended;
}

/* Where the first whole line of the last words begins. */
static uint64_t last_words_begin(const struct stream *s) {
  if (s->last_words_end <= last_words_size) return 0;
  uint64_t at = s->last_words_end - last_words_size;
  while (at < s->last_words_end && s->last_words[at++ % last_words_size] != '\n') {
  }
  return at;
}

static void keep_last_words(struct stream *s) {
  uint64_t end = s->last_words_end;
  if (now_ms() - s->last_words_at > last_words_ms) return;
  move_to_front(s);
  for (uint64_t at = last_words_begin(s); at < end; at++) {
    const char *byte = &s->last_words[at % last_words_size];
    if (dropped > 0 && (*byte == '\n' || at + 1 == end)) dropped--;
    keep(s, byte, 1);
  }
}

/* Passes on what was printed until now; those who go on printing are not waited for. */
static void drain(struct stream *s) {
  int left = 0;
  if (s->in < 0 || ioctl(s->in, FIONREAD, &left) < 0) left = 0;
  while (left > 0 || s->end > s->begin) {
    if (left > 0 && buffer_size - (s->end - s->begin) > write_size) {
      ssize_t size = take(s);
      left = size > 0 ? left - (int)size : 0;
    }
    struct pollfd p = {s->out, POLLOUT, 0};
    if (poll(&p, 1, last_patience_ms) <= 0) return;
    pass_on(s, now_ms());
  }
}

static void end_streams(void) {
  for (int i = 0; i < 2; i++) {
    drain(&streams[i]);
    keep_last_words(&streams[i]);
  }
  if (dropped > 0) say_dropped();
  for (int i = 0; i < 2; i++) drain(&streams[i]);
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: limit-output LINES BYTES COMMAND [ARGUMENT...]\n");
    return 2;
  }
  lines_left = lines_per_second = strtod(argv[1], NULL);
  bytes_left = bytes_per_second = strtod(argv[2], NULL);
  if (!(lines_per_second >= 1 && bytes_per_second >= 1)) {
    fprintf(stderr, "limit-output: LINES and BYTES are numbers from 1 on\n");
    return 2;
  }
  sigset_t all, mask;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &mask);
  signal(SIGPIPE, SIG_IGN);
  int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  pid_t pid = signals < 0 ? -1 : start(argv + 3, &mask);
  if (pid < 0) {
    /* Better without a limit than not at all. */
    sigprocmask(SIG_SETMASK, &mask, NULL);
    execvp(argv[3], argv + 3);
    return 127;
  }
  close(0);
  filled_at = now_ms();
  for (int status;;) {
    struct pollfd polls[5] = {{signals, POLLIN, 0}};
    int64_t now = now_ms();
    int wait_ms = dropped > 0 ? say_every_ms : -1;
    for (int i = 0; i < 2; i++) {
      struct stream *s = &streams[i];
      int is_waiting = s->end > s->begin, rests = now < s->rests_until;
      int is_read = !rests && (!is_waiting || now - s->blocked_since >= patience_ms);
      polls[1 + i] = (struct pollfd){is_read ? s->in : -1, POLLIN, 0};
      polls[3 + i] = (struct pollfd){is_waiting ? s->out : -1, POLLOUT, 0};
      if (is_waiting && !is_read) wait_ms = patience_ms;
    }
    for (int i = 0; i < 2; i++)
      if (now < streams[i].rests_until) wait_ms = rest_ms;
    if (poll(polls, 5, wait_ms) < 0 && errno != EINTR) return 1;
    now = now_ms();
    fill_budget(now);
    for (int i = 0; i < 2; i++) {
      struct stream *s = &streams[i];
      if (polls[3 + i].revents) pass_on(s, now);
      if (polls[1 + i].revents && take(s) == 0) {
        close(s->in);
        s->in = -1;
      }
      if (s->end > s->begin && s->blocked_since < 0) s->blocked_since = now;
    }
    if (dropped > 0 && now - dropping_since >= say_every_ms && !streams[1].out_within_line) say_dropped();
    if (polls[0].revents && heed_signals(signals, pid, &status)) {
      end_streams();
      return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
  }
}
