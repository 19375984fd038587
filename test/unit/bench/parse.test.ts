// Goal: benchmarks read what their tools print as it is, and never take a failure for a figure.
import t from 'tap'
import { figureOf, medianOf, ratios, spread } from '../../../bench/figures.js'
import { parsePgbench } from '../../../bench/pgbench.js'
import { parseProcessorMs, parseResidentRanges, parseSmapsRollup } from '../../../bench/process-memory.js'
import { withResults } from '../../../bench/record.js'
import { parseWrk } from '../../../bench/wrk.js'

const wrkOutput = `Running 2s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.78ms    1.21ms  33.10ms   91.00%
    Req/Sec    37.08k     2.11k   40.00k    70.00%
  Latency Distribution
     50%  950.00us
     75%    2.05ms
     90%    2.71ms
     99%    1.20s 
  73811 requests in 2.00s, 88.12MB read
Requests/sec:  36889.17
Transfer/sec:     44.04MB
`

t.test('rate and latencies of wrk are read in whatever unit it chose', async (t) => {
  t.strictSame(parseWrk(wrkOutput), {
    requests: 73811,
    requestsPerSecond: 36889.17,
    p50Ms: 0.95,
    p99Ms: 1200,
    failed: 0,
  })
})

t.test('every kind of failure that wrk counts is counted', async (t) => {
  const failing = wrkOutput.replace(
    'Requests/sec',
    '  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\nRequests/sec',
  )
  t.equal(parseWrk(failing).failed, 15)
})

t.test('output without a result is no result', async (t) => {
  t.throws(() => parseWrk('unable to connect to 127.0.0.1:1 Connection refused'), /printed no result/)
  t.throws(() => parsePgbench('pgbench: error: connection to server failed'), /printed no result/)
  t.throws(() => parseSmapsRollup(''), /without Rss/)
})

const pgbenchOutput = `pgbench (17.12 (Debian 17.12-0+deb13u1))
transaction type: <builtin: select only>
scaling factor: 10
query mode: simple
number of clients: 8
number of threads: 2
maximum number of tries: 1
duration: 2 s
number of transactions actually processed: 41236
number of failed transactions: 0 (0.000%)
latency average = 0.388 ms
initial connection time = 12.345 ms
tps = 20621.123456 (without initial connection time)
`

t.test('transactions per second of pgbench are read with and without reconnecting', async (t) => {
  t.strictSame(parsePgbench(pgbenchOutput), { tps: 20621.123456, latencyMs: 0.388, transactions: 41236 })
  const reconnecting = pgbenchOutput.replace(
    /initial connection time = .*\ntps = .*/,
    'average connection time = 3.9 ms\ntps = 250.5 (including reconnection times)',
  )
  t.equal(parsePgbench(reconnecting).tps, 250.5)
})

t.test('a run of pgbench in which transactions failed is refused', async (t) => {
  t.throws(() => parsePgbench(pgbenchOutput.replace('transactions: 0', 'transactions: 3')), /3 transactions failed/)
})

t.test('memory is read from smaps_rollup, and resident ranges from smaps', async (t) => {
  const rollup = `55d0-7ffd ---p 00000000 00:00 0  [rollup]
Rss:               77980 kB
Pss:               49715 kB
Pss_Dirty:         30000 kB
Pss_Anon:          29000 kB
`
  t.strictSame(parseSmapsRollup(rollup), { rss: 77980, pss: 49715, processes: 1 })
  const smaps = `00400000-00402000 r-xp 00000000 08:01 12  /usr/bin/one
Size:                  8 kB
Rss:                   4 kB
Pss:                   2 kB
7f0000000000-7f0040000000 ---p 00000000 00:00 0
Size:            1048576 kB
Rss:                   0 kB
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0  [stack]
Rss:                  36 kB
`
  t.strictSame(parseResidentRanges(smaps), [
    { start: 0x400000n, end: 0x402000n },
    { start: 0x7ffd00000000n, end: 0x7ffd00021000n },
  ])
})

t.test('processor time is read past a process name that holds anything', async (t) => {
  const stat = '4242 (a) b (c) S 1 1 1 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 12345 1000000 250'
  t.equal(parseProcessorMs(stat), 2_000)
  t.throws(() => parseProcessorMs('nothing'), /not a line/)
})

t.test('medians, spreads and ratios of rounds', async (t) => {
  t.equal(medianOf([5, 1, 3]), 3)
  t.equal(medianOf([4, 1, 3, 2]), 2.5)
  t.ok(Number.isNaN(medianOf([])))
  t.equal(spread([1200, 900, 2000]), '1,200 (900 – 2,000)')
  t.strictSame(ratios([10, 30], [20, 20]), [0.5, 1.5])
  t.strictSame(ratios([10, 30], [20]), [0.5])
  t.strictSame(figureOf([1.26, 2, 3]), { median: 2, min: 1.3, max: 3, n: 3 })
})

t.test('what a benchmark printed takes the place of what it printed before, and nothing else', async (t) => {
  const document = 'a\n<!-- printed by bench/run x -->\nold\n<!-- end of x -->\nb\n'
  const once = withResults(document, 'x', '\ntable\n')
  t.equal(once, 'a\n<!-- printed by bench/run x -->\n```\ntable\n```\n<!-- end of x -->\nb\n')
  t.equal(withResults(once, 'x', 'table'), once)
  t.throws(() => withResults(document, 'y', 'table'), /no place for what y prints/)
})
