/**
 * A control plane that makes one pass over the add-ons and dies at a failpoint, as a process of its own: arguments are
 * the failpoint, the platform database's URL, and instance, subnets, data folder and image. It prints `passed` when it
 * hasn't met the failpoint.
 */
import { createAddOnLoop } from '../../server/addons/add-on-loop.js'
import { createDockerEngine } from '../../server/engine/docker-engine.js'
import { armFailpoint } from '../../server/lib/failpoint.js'
import { createSealer } from '../../server/lib/seal.js'
import { openDatabase } from '../../server/store/database.js'
import { quietLog, worldConfig } from './world-config.js'

const [failpoint = '', databaseUrl = '', instance = '', subnets = '', dataDir = '', postgres = ''] =
  process.argv.slice(2)
const db = openDatabase({ url: databaseUrl, sealer: createSealer(Buffer.alloc(32, 7)) })
const loop = createAddOnLoop({
  db,
  engine: createDockerEngine({ socketPath: '/var/run/docker.sock' }),
  config: worldConfig(instance, subnets, dataDir),
  images: { postgres },
  log: quietLog(),
  onChange: () => {},
})
armFailpoint(failpoint)
await loop.pass()
await loop.stop()
await db.close()
process.stdout.write('passed\n')
