import t from 'tap'
import { serverContainer } from '../../../server/addons/postgres/server-container.js'
import { scramVerifier } from '../../../server/addons/postgres/tenant.js'
import { tuning } from '../../../server/addons/postgres/tuning.js'
import { addOnServices } from '../../../server/model/add-on.js'

const plans = addOnServices.flatMap((service) => service.plans)
const megabytes = (text: string | undefined) => Number(/^(\d+)MB$/.exec(text ?? '')?.[1])

t.test('what a plan may use fits into its memory', async (t) => {
  for (const plan of plans) {
    const settings = tuning(plan)
    const memory = plan.memoryBytes / 1024 ** 2
    t.equal(megabytes(settings.shared_buffers), memory / 4, plan.name)
    t.ok(megabytes(settings.effective_cache_size) < memory)
    const vacuums = Number(settings.autovacuum_max_workers) * megabytes(settings.autovacuum_work_mem)
    const fixed = megabytes(settings.shared_buffers) + megabytes(settings.maintenance_work_mem) + vacuums
    t.ok(fixed < memory * 0.6, `${plan.name}: ${fixed} of ${memory} MB before the first query`)
    t.ok(Number(settings.max_connections) > plan.connections)
  }
})

t.test('acknowledged means on disk, for every plan', async (t) => {
  for (const plan of plans)
    t.match(tuning(plan), { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', wal_level: 'replica' })
})

t.test('a server is a container with a network for each app and no other way in or out', async (t) => {
  const [plan] = plans
  if (!plan) throw new Error('there is no plan')
  const facts = {
    instance: 'paas',
    image: 'postgres',
    addOn: { id: '1', name: 'postgresql-flat-12345', plan: plan.name },
    folders: { root: '/d', data: '/d/data', socket: '/d/socket', config: '/d/config' },
    size: plan,
  }
  const joined = serverContainer({ ...facts, networks: ['paas-app-0', 'paas-app-7'] })
  t.same(joined.network, [
    { network: 'paas-app-0', aliases: ['postgresql-flat-12345'] },
    { network: 'paas-app-7', aliases: ['postgresql-flat-12345'] },
  ])
  t.equal(serverContainer({ ...facts, networks: [] }).network, 'none')
  t.equal(joined.readOnlyRoot, true)
  t.same(
    joined.mounts?.filter((mount) => !mount.readOnly).map((mount) => mount.target),
    ['/var/lib/postgresql/data', '/socket'],
  )
  t.ok(joined.command?.includes('allow_alter_system=off'))
})

t.test('a password is sent as the verifier of RFC 7677', async (t) => {
  // The example exchange of the RFC: password "pencil", its salt and 4096 iterations.
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  t.equal(
    await scramVerifier('pencil', salt),
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  )
})
