/** A control plane of its own process: publishes the table on its standard input, and may be told to die on the way. */
import { text } from 'node:stream/consumers'
import { armFailpoint } from '../../server/lib/failpoint.js'
import { createRouter } from '../../server/router/router.js'

const [options = '', failpoint = ''] = process.argv.slice(2)
const router = createRouter(JSON.parse(options))
await router.prepare()
await router.resync()
const table = JSON.parse(await text(process.stdin))
armFailpoint(failpoint)
await router.publish(table)
