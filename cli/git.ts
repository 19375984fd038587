/** The working folder's git, asked by argv; every function is quiet when there is no repository or no git. */
import type { ExecFileException } from 'node:child_process'
import { CliError } from './errors.js'

export interface GitRemote {
  readonly name: string
  readonly url: string
}

/** Runs git in the working folder; `undefined` when it fails, its refusal being what was asked about. */
export async function tryGit(...args: string[]): Promise<string | undefined> {
  const { execFile } = await import('node:child_process')
  return new Promise((resolve) =>
    execFile('git', args, { encoding: 'utf8' }, (error, stdout) => resolve(error === null ? stdout : undefined)),
  )
}

async function git(...args: string[]): Promise<void> {
  const { execFile } = await import('node:child_process')
  await new Promise<void>((resolve, reject) =>
    execFile('git', args, { encoding: 'utf8' }, (error: ExecFileException | null, _stdout, stderr) =>
      error === null ? resolve() : reject(new CliError(`git ${args[0]} failed: ${stderr.trim() || error.message}`)),
    ),
  )
}

export async function isInGitRepository(): Promise<boolean> {
  return (await tryGit('rev-parse', '--git-dir')) !== undefined
}

export async function listGitRemotes(): Promise<GitRemote[]> {
  const text = (await tryGit('config', '--null', '--get-regexp', '^remote\\..*\\.url$')) ?? ''
  return text
    .split('\0')
    .filter((entry) => entry !== '')
    .map((entry) => {
      const [key = '', url = ''] = entry.split('\n')
      return { name: key.slice('remote.'.length, -'.url'.length), url }
    })
}

/** Adds a remote, or points one that exists elsewhere. */
export async function setGitRemote(name: string, url: string, exists: boolean): Promise<void> {
  await git('remote', exists ? 'set-url' : 'add', '--', name, url)
}

export async function removeGitRemote(name: string): Promise<void> {
  await git('remote', 'remove', name)
}

/**
 * Has git ask these helpers, in this order, for this origin's credentials, in this repository only. The empty entry comes
 * first: it keeps helpers of the whole machine from being asked for, or given, the platform's token.
 */
export async function setCredentialHelpers(origin: string, helpers: readonly string[]): Promise<void> {
  const key = `credential.${origin}.helper`
  await git('config', '--local', '--replace-all', key, '')
  for (const helper of helpers) await git('config', '--local', '--add', key, helper)
}
