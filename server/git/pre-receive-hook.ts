/**
 * The pre-receive hook: git runs it once per push, while the pushed objects are still in quarantine, and the push stands
 * or falls with its exit code. It decides nothing: it hands the push to the control plane over a Unix socket, passes on
 * what comes back and ends as it is told. A control plane that is away or dies refuses the push.
 *
 * It is Perl because Debian's git needs Perl anyway and a hook without modules starts in 2 ms; a Node hook takes 50.
 *
 * From the hook: `paas-push 1`, its parent's process id, the folder of quarantined objects (each ending in NUL), git's
 * lines `old new ref`, end of stream. To the hook: frames of a kind byte, a 4-byte big-endian number and, for kind `o`,
 * that many bytes for the pusher; for kind `x` the number is the exit code.
 */
import { randomUUID } from 'node:crypto'
import { access, chmod, constants, mkdir, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'

export const helloTag = 'paas-push 1'

/** A longer path doesn't fit a Unix socket's address. */
const maxSocketPath = 100

const script = (socketPath: string) => `#!/usr/bin/perl
# Hands this push to the control plane and ends with its answer. Written at every start; changes made here are lost.
use strict;
$SIG{PIPE} = 'IGNORE';
my $again = 'Push again in a moment.';

sub refuse { syswrite(STDERR, " !     $_[0]\\n"); exit 1 }

sub put {
  my ($handle, $bytes) = @_;
  my $at = 0;
  while ($at < length $bytes) {
    my $n = syswrite($handle, $bytes, length($bytes) - $at, $at);
    if (!defined $n) { next if $! == 4; return 0 }
    $at += $n;
  }
  return 1;
}

# The numbers are AF_UNIX, SOCK_STREAM and SHUT_WR (and 4 is EINTR): loading them by name takes longer than all the rest.
my $relay;
socket($relay, 1, 1, 0) && connect($relay, pack('S a*', 1, '${socketPath}' . "\\0"))
  or refuse("The platform doesn't answer. $again");
my $refs = do { local $/; <STDIN> };
put($relay, join("\\0", '${helloTag}', getppid(), $ENV{GIT_OBJECT_DIRECTORY} // '', $refs // ''));
shutdown($relay, 1);

my $in = '';
while (1) {
  my $n = sysread($relay, $in, 65536, length $in);
  next if !defined $n && $! == 4;
  last if !$n;
  while (length $in >= 5) {
    my ($kind, $number) = unpack('aN', $in);
    exit $number if $kind eq 'x';
    last if length $in < 5 + $number;
    put(*STDERR, substr($in, 5, $number)) or exit 1;
    substr($in, 0, 5 + $number) = '';
  }
}
refuse("The platform stopped before it had decided on this push. $again");
`

/** Puts the hook in place, or anew: a push under way keeps the one it started with. */
export async function installHook(hooksDir: string, socketPath: string): Promise<void> {
  if (!/^\/[\w./ +@:-]+$/.test(socketPath) || Buffer.byteLength(socketPath) > maxSocketPath)
    throw new Error(
      `The socket path '${socketPath}' must be absolute, plain and of ${maxSocketPath} characters at most`,
    )
  await mkdir(hooksDir, { recursive: true })
  await chmod(hooksDir, 0o755)
  const draft = path.join(path.dirname(hooksDir), `.hook-${randomUUID()}`)
  await writeFile(draft, script(socketPath), { mode: 0o555 })
  await chmod(draft, 0o555)
  await rename(draft, path.join(hooksDir, 'pre-receive'))
  await chmod(hooksDir, 0o555)
}

/** Throws unless the hook is there to run: git takes a missing hook for consent. */
export function checkHook(hooksDir: string): Promise<void> {
  return access(path.join(hooksDir, 'pre-receive'), constants.X_OK)
}
