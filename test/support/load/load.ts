/** Starts load generators in processes of their own and collects what they counted. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import type { World } from '../world.js'
import { projectRoot } from '../project-root.js'
import type { Rates } from './client.js'
import type { FromGenerator, ToGenerator } from './generator.js'
import type { Tally } from './tally.js'

export interface Load {
  /** From now on no older release may answer. */
  live(version: number): void
  /** Ends what runs and returns the tally; throws when something begun never ended. */
  stop(): Promise<Tally>
}

export async function startLoad(world: World, app: string, rates: Rates): Promise<Load> {
  const target = {
    app,
    host: `${app}.${world.config.domain}`,
    httpPort: world.config.httpPort,
    httpsPort: world.config.httpsPort,
    ca: (await world.paas(['certs:ca'])).stdout,
  }
  const file = path.join(projectRoot, 'dist', 'test', 'support', 'load', 'generator.js')
  const child: ChildProcess = fork(file, [JSON.stringify({ target, rates })], { execArgv: [] })
  const died = once(child, 'exit')
  const tell = (message: ToGenerator) => void child.send(message)
  return {
    live: (version) => tell({ kind: 'live', version }),
    async stop() {
      const told = once(child, 'message') as Promise<[FromGenerator]>
      tell({ kind: 'stop' })
      const [done] = await Promise.race([
        told,
        died.then(() => {
          throw new Error('the load generator died')
        }),
      ])
      await died
      if (done.unfinished) throw new Error(done.unfinished)
      return done.tally
    },
  }
}
