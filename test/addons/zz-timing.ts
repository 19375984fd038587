import t from 'tap'
import { startWorld } from '/work/main/test/addons/world.js'
t.test('timing', { timeout: 120000 }, async (t) => {
  const w = await startWorld(t, { instance: 'pgtest', subnets: '10.96.0.0/12' })
  const loop = w.makeLoop()
  let at = Date.now()
  await loop.pass()
  console.error('spares', Date.now() - at, w.warnings)
  for (let i = 0; i < 4; i++) {
    const app = await w.makeApp('quick-' + i)
    const addOn = await w.makeAddOn(app, { plan: 'standard-0' })
    at = Date.now()
    const poll = (async () => { for (;;) { const a = await w.addOnNow(addOn.id); if (a?.state === 'provisioned') return Date.now() - at; if (a?.failure) {console.error(a.failure); return -1}; await new Promise(r => setTimeout(r, 5)) } })()
    const p = loop.pass()
    console.error('ready', await poll)
    await p
    console.error('with spare again', Date.now() - at, w.warnings)
    if (i === 0) {
      const probe = await w.probeIn(app)
      console.error(await probe.psql(await w.urlOf(addOn), 'select version()'))
      console.error(await loop.describe((await w.addOnNow(addOn.id))!))
      const c = await w.engine.findContainer('pgtest-pg-' + addOn.id)
      console.error(await w.engine.usage(c!.id), c!.pid)
      const { execFileSync } = await import('node:child_process')
      console.error(execFileSync('bash', ['-c', `for p in $(pgrep -P ${c!.pid}) ${c!.pid}; do tr '\\0' ' ' < /proc/$p/cmdline | cut -c1-60; grep -E '^(Rss|Pss):' /proc/$p/smaps_rollup; done; cat /proc/${c!.pid}/oom_score_adj`]).toString())
    }
  }
  at = Date.now(); await loop.pass(); console.error('steady pass with 4', Date.now() - at)
})
