import fc from 'fast-check'
import t from 'tap'
import { subnetPlan } from '../../../server/model/subnets.js'

t.test(
  'a /12 has a /16 for dynos, one for builds, and 2048 private networks behind them, each with a link',
  async (t) => {
    const plan = subnetPlan('10.208.0.0/12')
    t.equal(plan.dynos, '10.208.0.0/16')
    t.equal(plan.builds, '10.209.0.0/16')
    t.equal(plan.appNetwork(0), '10.210.0.0/24')
    t.equal(plan.appNetwork(1), '10.210.1.0/24')
    t.equal(plan.appNetwork(256), '10.211.0.0/24')
    t.equal(plan.appNetworkCount, 2048)
    t.equal(plan.appNetwork(2047), '10.217.255.0/24')
    t.equal(plan.linkNetwork(0), '10.223.0.0/27')
    t.equal(plan.linkNetwork(9), '10.223.1.32/27')
    t.equal(plan.linkNetwork(2047), '10.223.255.224/27')
  },
)

t.test('an index that has no network is refused', async (t) => {
  const plan = subnetPlan('10.208.0.0/12')
  for (const index of [-1, 2048, 0.5, Number.NaN]) t.throws(() => plan.appNetwork(index), /There is no private network/)
})

t.test('a range that is too small, malformed or off its border is refused with a sentence', async (t) => {
  for (const range of ['10.208.0.0/13', '10.208.1.0/12', '10.208/12', '', '10.208.0.0/7'])
    t.throws(() => subnetPlan(range), /must be a \/8 to \/12/)
  for (const range of ['10.200.0.0/12', '10.1.0.0/8', '300.0.0.0/8', '10.256.0.0/12'])
    t.throws(() => subnetPlan(range), /doesn't begin on its own border/)
})

t.test('no two networks of a plan share an address', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 8, max: 12 }), fc.nat(), fc.nat(), fc.nat(), (prefix, base, a, b) => {
      const sixteens = 2 ** (16 - prefix)
      const plan = subnetPlan(`10.${(base % (256 / sixteens)) * sixteens}.0.0/${prefix}`)
      const [i, j] = [a % plan.appNetworkCount, b % plan.appNetworkCount]
      const sixteenOf = (cidr: string) => cidr.split('.').slice(0, 2).join('.')
      return (
        (i === j) === (plan.appNetwork(i) === plan.appNetwork(j)) &&
        (i === j) === (plan.linkNetwork(i) === plan.linkNetwork(j)) &&
        ![plan.dynos, plan.builds, plan.linkNetwork(j)].map(sixteenOf).includes(sixteenOf(plan.appNetwork(i)))
      )
    }),
  )
  t.pass('held')
})
