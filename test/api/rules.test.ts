// The API's pure rules: addresses, ranges and pages, secrets in URLs.
import fc from 'fast-check'
import t from 'tap'
import { appHostname, gitUrl, originOf, webUrl } from '../../server/api/addresses.js'
import { createAttachTickets } from '../../server/api/attach-tickets.js'
import { pageOf, parseRange } from '../../server/api/range.js'
import { createUrlSecrets } from '../../server/api/url-secrets.js'

t.test('public addresses follow domain and ports', async (t) => {
  const here = { domain: 'localhost', httpPort: 80, httpsPort: 443, apiPort: 5000 }
  t.equal(webUrl(here, 'demo'), 'http://demo.localhost/')
  t.equal(gitUrl(here, 'demo'), 'http://localhost:5000/demo.git')
  t.equal(appHostname(here, 'demo'), 'demo.localhost')
  t.equal(webUrl({ ...here, httpPort: 8080 }, 'demo'), 'http://demo.localhost:8080/')
  const there = { ...here, domain: 'paas.example.com' }
  t.equal(webUrl(there, 'demo'), 'http://demo.paas.example.com/')
  t.equal(gitUrl(there, 'demo'), 'https://git.paas.example.com/demo.git')
  t.equal(gitUrl({ ...there, httpsPort: 8443 }, 'demo'), 'https://git.paas.example.com:8443/demo.git')
  t.strictSame(originOf({ protocol: 'https', host: 'api.example.com' }, here), {
    scheme: 'https',
    host: 'api.example.com',
  })
  for (const host of ['', 'a b', 'evil/path', 'x@y', 'a:b:c', '\r\n', 'a'.repeat(300)])
    t.equal(originOf({ protocol: 'http', host }, here).host, 'localhost:5000', `host '${host.slice(0, 10)}'`)
})

t.test('a range is read as clients write it, and never refused', async (t) => {
  t.match(parseRange('version ..; order=desc,max=15'), { field: 'version', descending: true, max: 15 })
  t.match(parseRange('version ..; max=15, order=desc'), { descending: true, max: 15 })
  t.match(parseRange('id ..; max=1000;'), { field: 'id', descending: false, max: 1000 })
  t.match(parseRange('version 5..; max=2'), { start: { value: '5', inclusive: true }, max: 2 })
  t.match(parseRange('version ]5..9'), { start: { value: '5', inclusive: false }, end: '9' })
  t.match(parseRange('name my.app..'), { start: { value: 'my.app', inclusive: true } })
  for (const odd of [
    undefined,
    '',
    ' ',
    'bytes=0-99',
    'version',
    '..',
    'id ..; max=-1',
    'id ..; max=x',
    'id ..; max=0',
    'id €..',
    'id a..\x85',
    'id \x01..',
  ])
    t.match(parseRange(odd), { start: undefined, descending: false, max: 200 }, String(odd))
  t.equal(parseRange('id ..; max=99999').max, 1000)
})

t.test('pages put together are the list, in order, each thing once', async (t) => {
  fc.assert(
    fc.property(fc.nat(60), fc.integer({ min: 1, max: 20 }), fc.boolean(), (count, max, descending) => {
      const all = Array.from({ length: count }, (_, index) => ({ id: `item-${index}` }))
      const seen: string[] = []
      let next: string | undefined = `id ..; ${descending ? 'order=desc,' : ''}max=${max}`
      for (let pages = 0; next !== undefined && pages <= count; pages++) {
        const page: ReturnType<typeof pageOf<{ id: string }>> = pageOf(all, parseRange(next))
        seen.push(...page.items.map((item) => item.id))
        next = page.nextRange
      }
      const expected = all.map((item) => item.id)
      t.strictSame(seen, descending ? expected.reverse() : expected)
    }),
    { numRuns: 50 },
  )
  t.strictSame(pageOf([{ id: 'a' }], parseRange('id gone..')), { items: [], nextRange: undefined })
  t.strictSame(pageOf([{ id: 'a' }, { id: 'b' }, { id: 'c' }], parseRange('id a..b')).items, [{ id: 'a' }, { id: 'b' }])
})

t.test('a list is paged by its ids, whatever field a range names', async (t) => {
  const all = ['a', 'b', 'c'].map((id) => ({ id, description: '€\n', name: 'same' }))
  for (const field of ['description', 'name', 'constructor', '__proto__', 'tostring', 'nothing', 'version'])
    for (const bounds of ['..', ']same..', 'same..same'])
      t.strictSame(
        pageOf(all, parseRange(`${field} ${bounds}; order=desc,max=2`)),
        { items: [all[2], all[1]], nextRange: 'id ]b..; order=desc,max=2' },
        `${field} ${bounds}`,
      )
  t.strictSame(pageOf([{ key: 1 }, { key: 2 }], parseRange('key ..; max=1')), {
    items: [{ key: 1 }],
    nextRange: undefined,
  })
})

t.test('a secret in a URL opens what it was issued for, in time, and nothing else', async (t) => {
  let now = 1_000
  const secrets = createUrlSecrets<{ app: string }>(() => now)
  const secret = secrets.issue({ app: 'demo' }, 100)
  t.strictSame(secrets.open(secret), { app: 'demo' })
  t.match(secret, /^[\w-]+\.[\w-]+$/)
  const [body = '', signature = ''] = secret.split('.')
  const forged = Buffer.from(JSON.stringify([9_999, { app: 'other' }])).toString('base64url')
  for (const wrong of ['', '.', body, `${body}.`, `${body}.${signature}.x`, `${forged}.${signature}`, `x${secret}`])
    t.equal(secrets.open(wrong), undefined, wrong.slice(-20))
  t.equal(createUrlSecrets(() => now).open(secret), undefined, 'of another process')
  now = 1_100
  t.equal(secrets.open(secret), undefined, 'too late')
})

t.test('an attach ticket is used once; one that nobody uses says so', async (t) => {
  const unused: string[] = []
  await new Promise<void>((resolve) => {
    const tickets = createAttachTickets<string>(30, (content) => {
      unused.push(content)
      resolve()
    })
    const first = tickets.issue('first')
    tickets.issue('second')
    t.equal(tickets.claim(first), 'first')
    t.equal(tickets.claim(first), undefined)
    t.equal(tickets.claim('never-issued'), undefined)
    // The tickets themselves keep no process alive.
    const alive = setInterval(() => {}, 1_000)
    t.teardown(() => clearInterval(alive))
  })
  t.strictSame(unused, ['second'])
})
