/**
 * A program called `git-receive-pack`, for the node-git-server package: it starts git by that name and by the search path,
 * and can pass neither a user nor an environment. This one becomes git's user, leaves the control plane's environment
 * behind and turns into git, under the same process id, which the relay knows the push by.
 *
 * Perl starts in 2 ms, and git needs it anyway (see `pre-receive-hook.ts`).
 */
import { randomUUID } from 'node:crypto'
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { gitArguments, gitEnvironment } from './git-process.js'
import type { RunAs } from './git-user.js'

const quoted = (value: string) => {
  if (/['\\\n]/.test(value)) throw new Error(`'${value}' can't be put into the program`)
  return `'${value}'`
}

const script = (user: RunAs | undefined) => {
  const drop = user ? ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', '--no-new-privs'] : []
  const command = [...drop, 'git', ...gitArguments, 'receive-pack']
  const variables = Object.entries(gitEnvironment).map(([name, value]) => `${name} => ${quoted(value)}`)
  return `#!/usr/bin/perl
# Starts git's receive-pack for a push. Written at every start of the control plane; changes made here are lost.
use strict;
chdir('/');
setpgrp(0, 0);
%ENV = (${variables.join(', ')});
exec(${command.map(quoted).join(', ')}, @ARGV) or die "starting ${command[0]}: $!\\n";
`
}

/** Puts the program into `dir`, or anew. The folder must come first on the search path. */
export async function installReceivePack(dir: string, user: RunAs | undefined): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o755 })
  const draft = path.join(dir, `.draft-${randomUUID()}`)
  await writeFile(draft, script(user))
  await chmod(draft, 0o555)
  await rename(draft, path.join(dir, 'git-receive-pack'))
}
