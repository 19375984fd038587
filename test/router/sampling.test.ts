/** An app under a load that its log can't take: a sample of its requests is logged, every failure, and the others in full. */
import t from 'tap'
import type { AccessEntry } from '../../server/router/access-log.js'
import { ask, httpApp, publish, routes } from './backends.js'
import { routerUnderTest, until } from './haproxy-container.js'

t.setTimeout(60_000)

t.test('of more requests than a log takes a sample is logged, and every failure', async (t) => {
  const u = await routerUnderTest(t, { logLinesPerSecond: 40 })
  await u.start()
  const log: AccessEntry[] = []
  const logging = new AbortController()
  const logged = u.router.followAccessLog((entry) => log.push(entry), logging.signal)
  t.teardown(async () => {
    logging.abort()
    await logged
  })
  const app = await httpApp(t, (request, response) => {
    if (request.url?.startsWith('/bad/')) request.socket.destroy()
    else response.end('good')
  })
  await publish(u.router, routes('loud', [app]), routes('quiet', [app]))
  const many = (host: string, name: string, count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => ask({ port: u.httpPort, host, path: `/${name}/${n}` })))
  await many('loud.localhost', 'many', 400)
  await Promise.all([many('loud.localhost', 'bad', 20), many('quiet.localhost', 'quiet', 20)])
  const lines = (name: string) => log.filter((entry) => entry.path.startsWith(`/${name}/`))
  await until('the last are logged', () => lines('bad').length + lines('quiet').length === 40)
  t.ok(lines('bad').every((entry) => entry.code === 'H13' && entry.isSample))
  t.ok(lines('quiet').every((entry) => !entry.isSample))
  const count = lines('many').length
  t.ok(count >= 40 && count < 350, `${count} of 400 are logged`)
  const whole = lines('many').filter((entry) => !entry.isSample).length
  t.ok(whole >= 30 && whole <= 120, `${whole} before they were too many`)
})
