/** Containers of benchmarks: made by the docker command, each under a name of this process, and removed at the end. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await run('docker', args, { maxBuffer: 64 * 1024 ** 2 })
  return stdout.trim()
}

export interface BenchContainers {
  /** Returns the container's id. */
  start(name: string, options: readonly string[], image: string, command: readonly string[]): Promise<string>
  nameOf(name: string): string
  removeAll(): Promise<void>
}

export function benchContainers(): BenchContainers {
  const started: string[] = []
  const nameOf = (name: string) => `paas-bench-${process.pid}-${name}`
  return {
    nameOf,
    async start(name, options, image, command) {
      started.push(nameOf(name))
      return docker('run', '-d', '--name', nameOf(name), ...options, image, ...command)
    },
    async removeAll() {
      for (const name of started.splice(0)) await docker('rm', '-f', '-v', name).catch(() => {})
    },
  }
}
