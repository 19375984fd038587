// The layers into which Python's environment is divided: which of them a changed list of dependencies makes anew.
import t from 'tap'
import { type Header, partsOf } from './result.js'
import { scratchApps } from './sandbox.js'

t.setTimeout(600_000)

const scratchApp = scratchApps(t)

t.test('a changed list of dependencies changes the parts it must, and ends as a fresh install would', async (t) => {
  const files = (requirements: string) => ({
    Procfile: 'web: python app.py\n',
    'app.py': 'import six; print("has", six.__version__)\n',
    'requirements.txt': requirements,
  })
  const [grown, fresh] = [scratchApp(), scratchApp()]
  await grown.build(files('six==1.16.0\nidna==3.10\nsqlparse==0.5.3\n'))
  const second = await grown.build(files('six==1.17.0\nsqlparse==0.5.3\nitsdangerous==2.2.0\n'))
  t.match(second.log, /- idna==3\.10[\s\S]* - six==1\.16\.0[\s\S]* \+ six==1\.17\.0/)
  t.notMatch(second.log, /sqlparse/, 'what stays is not installed again')
  t.match(second.header, { cache: { changed: false } })
  const other = await fresh.build(files('six==1.17.0\nsqlparse==0.5.3\nitsdangerous==2.2.0\n'))
  const keys = (header: Header | undefined) => partsOf(header).map(({ name, key }) => `${name} ${key}`)
  t.same(keys(second.header), keys(other.header), 'the way to it leaves no trace')
  for (const [name, tar] of second.tars) t.ok(other.tars.get(name)?.equals(tar), `${name} has the same bytes`)
  t.match(
    partsOf(second.header).map(({ name, new: isNew }) => [name, isNew]),
    [
      ['python-env-base', false],
      ['python-env-rest', true],
    ],
    'only parts that differ are sent',
  )
  const dyno = await grown.run('python app.py')
  t.equal(await dyno.ended(), 0)
  t.match(await dyno.logs(), /has 1\.17\.0/, 'no bytecode of the version before is left')
})

t.test('a large dependency is a layer of its own; one that comes below it takes it along', async (t) => {
  const files = (requirements: string) => ({
    Procfile: 'web: python app.py\n',
    'app.py': 'import pytz, babel, six; print("all there")\n',
    'requirements.txt': requirements,
  })
  const app = scratchApp()
  const first = await app.build(files('pytz==2025.2\nsix==1.17.0\n'))
  t.equal(first.exitCode, 0, first.log)
  const shape = (header: Header | undefined) =>
    partsOf(header).map((part) => [part.name.replace(/-[0-9a-f]{8}$/, ''), part.new])
  t.same(shape(first.header), [
    ['python-env-base', true],
    ['python-env-pytz', true],
    ['python-env-rest', true],
  ])
  const second = await app.build(files('pytz==2025.2\nsix==1.17.0\nbabel==2.17.0\n'))
  t.equal(second.exitCode, 0, second.log)
  t.same(shape(second.header), [
    ['python-env-base', false],
    ['python-env-babel', true],
    ['python-env-pytz', true],
    ['python-env-rest', true],
  ])
  const third = await app.build({
    ...files('pytz==2025.2\nsix==1.17.0\nbabel==2.17.0\n'),
    Procfile: 'web: python app.py -v\n',
  })
  t.notOk(
    third.header?.layers.some((layer) => layer.new),
    'the source alone takes no layer along',
  )
  for (const [name, tar] of second.tars)
    if (name.startsWith('python-env-pytz')) t.ok(first.tars.get(name)?.equals(tar), 'sent again, it is what it was')
  const dyno = await app.run('python app.py')
  t.equal(await dyno.ended(), 0)
  t.match(await dyno.logs(), /all there/)
})
