/** From a judged push to the action that deploys it: the pushed objects as a build's source. */
import { pushSource } from '../actions/push-source.js'
import { appFor } from '../actions/access.js'
import type { Source } from '../build/source.js'
import type { Config } from '../config.js'
import { PlatformError } from '../model/errors.js'
import type { Platform } from '../platform.js'
import { commitInfo, readBlobs } from './git-objects.js'
import { keepObjects } from './keep-objects.js'
import type { OnPush, PushRequest } from './push-request.js'
import { archiveSource } from './source-archive.js'

const projectFileBytes = 64 * 1024

export interface DeployPushOptions {
  readonly platform: Platform
  /** The app's public address, for the last line a pusher reads. */
  readonly addressOf: (appName: string) => string
  /** Whoever reads along besides the pusher. */
  readonly readAlong: (appId: string) => { write(text: string): void; end(): void }
}

export function deployPush({ platform, addressOf, readAlong }: DeployPushOptions): OnPush {
  return async (push) => {
    const app = await appFor(platform, push.account, push.appId)
    const source = await sourceOf(push, platform.config)
    const others = readAlong(app.id)
    try {
      return await pushSource(platform, {
        account: push.account,
        app,
        source,
        address: addressOf(app.name),
        write: (text) => {
          push.write(text)
          others.write(text)
        },
        signal: push.aborted,
      })
    } finally {
      others.end()
    }
  }
}

async function sourceOf(push: PushRequest, config: Config): Promise<Source> {
  const commit = push.deploy.newOid
  const objects = push.quarantine
  const info = await commitInfo(objects, commit)
  return {
    commit,
    description: info.subject,
    committedAt: info.committedAt,
    archive: () => archiveSourceOf(objects, commit, config),
    readFiles: async (names) => {
      const { files, ignored } = await readBlobs(objects, commit, names, { maxBytes: projectFileBytes })
      const [reason] = ignored.values()
      if (reason !== undefined) throw new PlatformError('invalid_params', reason)
      return new Map([...files].map(([name, bytes]) => [name, bytes.toString('utf8')]))
    },
    ref: push.deploy.ref,
    keep: () => keepObjects(objects),
  }
}

function archiveSourceOf(objects: PushRequest['quarantine'], commit: string, config: Config) {
  const archive = archiveSource(objects, commit, {
    maxBytes: config.build.sourceBytes,
    maxFiles: config.build.sourceFiles,
  })
  const done = archive.done.then(() => {})
  // Whoever reads the stream learns of a failure there, and may never come to wait for this.
  done.catch(() => {})
  return { stream: archive.stream, done, kill: () => archive.kill() }
}
