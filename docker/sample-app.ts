/** Pushes a folder as an app, the way its author would: a repository, a commit, `git push`. */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { webUrl } from '../server/api/addresses.js'
import type { Config } from '../server/config.js'
import type { Engine } from '../server/engine/engine.js'

export interface SampleOptions {
  readonly config: Config
  readonly engine: Pick<Engine, 'listTags'>
  readonly token: string
  readonly source: string
  readonly name: string
  write(text: string): void
}

/** Seconds are undefined when the app was there already, and its image: one that an owner has cleaned away is built again. */
export async function pushSample(options: SampleOptions): Promise<{ address: string; seconds: number | undefined }> {
  const { config, token, name } = options
  const api = `http://127.0.0.1:${config.apiPort}`
  const call = (method: string, where: string, body?: object) =>
    fetch(`${api}${where}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
  const address = webUrl(config, name).replace(/\/$/, '')
  const present = await call('GET', `/apps/${name}`)
  if (present.ok) {
    const { id, slug_size: slugSize } = (await present.json()) as { id: string; slug_size: number | null }
    const images = await options.engine.listTags(`${config.instance}/app-${id}`)
    if (slugSize !== null && images.length > 0) return { address, seconds: undefined }
  } else {
    const made = await call('POST', '/apps', { name })
    if (!made.ok)
      throw new Error(`The sample app could not be created: ${((await made.json()) as { message: string }).message}`)
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), 'paas-sample-'))
  try {
    cpSync(options.source, folder, { recursive: true })
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'PaaS sample',
      GIT_AUTHOR_EMAIL: 'sample@localhost',
      GIT_COMMITTER_NAME: 'PaaS sample',
      GIT_COMMITTER_EMAIL: 'sample@localhost',
      // In the environment rather than on the command line, where every process could read it.
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'http.extraHeader',
      GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(`x:${token}`).toString('base64')}`,
    }
    const git = (args: readonly string[], show: boolean) => runGit(args, folder, env, show ? options.write : () => {})
    await git(['init', '-q', '-b', 'master'], false)
    await git(['add', '-A', '-f'], false)
    await git(['commit', '-q', '-m', 'A sample app'], false)
    const startedAt = Date.now()
    // Forced: this repository is new, and the app's may have an earlier one's history.
    await git(['push', '--force', `${api}/${name}.git`, 'master'], true)
    return { address, seconds: (Date.now() - startedAt) / 1000 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function runGit(
  args: readonly string[],
  cwd: string,
  env: Record<string, string>,
  write: (text: string) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', [...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString('utf8')).slice(-4_000)
        write(chunk.toString('utf8'))
      })
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`git ${args[0]} failed:\n${said}`))))
  })
}
