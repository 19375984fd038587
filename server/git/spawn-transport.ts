/** Starts git directly, with an environment of our own and the client's protocol version. */
import { spawnGit } from './git-process.js'
import { type GitRun, type GitServiceName, type GitTransport, runOf } from './git-transport.js'
import type { RunAs } from './git-user.js'

export interface SpawnTransportOptions {
  readonly runAs?: RunAs | undefined
}

export function spawnTransport(options: SpawnTransportOptions = {}): GitTransport {
  const start = (service: GitServiceName, args: readonly string[], protocol?: string): Promise<GitRun> => {
    const env = protocol === undefined ? undefined : { GIT_PROTOCOL: protocol }
    const child = spawnGit([service, '--stateless-rpc', ...args], { env, runAs: options.runAs })
    return runOf(child, { input: child.stdin, output: child.stdout })
  }
  return {
    name: 'spawn',
    async advertise({ service, repositoryPath, protocol }) {
      const run = await start(service, ['--advertise-refs', repositoryPath], protocol)
      run.input.end()
      return run
    },
    fetch: ({ repositoryPath, protocol }) => start('upload-pack', [repositoryPath], protocol),
    async push({ repositoryPath, commands }) {
      const run = await start('receive-pack', [repositoryPath])
      run.input.write(commands.bytes)
      return run
    },
  }
}
