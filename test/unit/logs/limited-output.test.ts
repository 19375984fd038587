/**
 * limit-output as dynos have it: the program of the stack image, in a container, run with one budget and another. What it
 * says of lines left out is read by the same code that reads it from dynos' logs.
 */
import t from 'tap'
import { createDockerEngine } from '../../../server/engine/docker-engine.js'
import { linesLeftOut } from '../../../server/logs/limited-output.js'

const engine = createDockerEngine({ socketPath: '/var/run/docker.sock' })
const enough = ['100000', '100000000'] as const
let id = ''

t.before(async () => {
  id = await engine.createContainer({
    name: `limited-output-test-${process.pid}`,
    image: 'paas/stack:dev',
    // It goes on when all processes are told to stop.
    command: ['bash', '-c', 'trap "" TERM; exec sleep infinity'],
    labels: {},
    network: 'none',
    init: true,
  })
  await engine.startContainer(id)
})
t.teardown(() => engine.removeContainer(id, { force: true }))

/** Runs a script of bash below a budget of lines and bytes a second. */
async function limited([lines, bytes]: readonly [string, string], script: string, input?: string) {
  const command = ['/usr/lib/paas/limit-output', lines, bytes, 'bash', '-c', script]
  const ended = await engine.run(id, { command, stdin: input !== undefined }, input)
  const errors = ended.stderr.split('\n').filter((line) => line !== '')
  return {
    ...ended,
    lines: ended.stdout.split('\n').filter((line) => line !== ''),
    errors: errors.filter((line) => linesLeftOut(line) === undefined),
    leftOut: errors.reduce((sum, line) => sum + (linesLeftOut(line) ?? 0), 0),
  }
}

const count = (n: number) => Array.from({ length: n }, (_, i) => String(i + 1))

t.test('what is printed within the budget comes out as it is, on the output it was printed on', async (t) => {
  const { stdout, stderr } = await limited(enough, 'seq 1 5000; echo oops >&2; printf "no end"')
  t.equal(stdout, `${count(5000).join('\n')}\nno end`)
  t.equal(stderr, 'oops\n')
})

t.test('bytes that are no lines and no text come out as they are', async (t) => {
  const { stdout } = await limited(
    enough,
    'head -c 300000 /dev/zero | sha256sum; head -c 300000 /dev/zero | tr "\\0" x',
  )
  t.equal(stdout.length, 300_000 + 68)
})

t.test('a line is passed on before it has its end', async (t) => {
  const session = await engine.exec(id, {
    command: [
      '/usr/lib/paas/limit-output',
      ...enough,
      'bash',
      '-c',
      'printf "name? "; read -r name; echo "hello $name"',
    ],
    stdin: true,
  })
  const seen = await new Promise<string>((resolve) =>
    session.stdout.once('data', (data: Buffer) => resolve(String(data))),
  )
  t.equal(seen, 'name? ')
  session.stdin.write('you\n')
  const rest = await new Promise<string>((resolve) =>
    session.stdout.once('data', (data: Buffer) => resolve(String(data))),
  )
  t.equal(rest, 'hello you\n')
  t.equal(await session.exitCode(), 0)
})

t.test('lines over the budget are left out whole and counted, the last words never', async (t) => {
  const { lines, leftOut } = await limited(['1000', '1000000'], 'seq 1 200000; echo last words')
  t.equal(lines.length + leftOut, 200_001, 'every line came or was counted')
  t.ok(lines.length >= 1000 && lines.length < 10_000, `${lines.length} lines came`)
  t.same(lines.slice(0, 1000), count(1000))
  t.equal(lines.at(-1), 'last words')
  t.ok(
    lines.slice(0, -1).every((line) => /^\d+$/.test(line)),
    'no line came in part',
  )
})

t.test('the budget holds for both outputs together and comes back with time', async (t) => {
  const { lines, errors, leftOut } = await limited(
    ['100', '1000000'],
    'seq 1 80; seq 1 5000 >&2; sleep 1.5; seq 1 80; sleep 1.2',
  )
  t.equal(lines.length, 160)
  t.ok(errors.length < 5000 && leftOut > 0)
  t.equal(errors.length + leftOut, 5000)
})

t.test('a line longer than the bytes of a second is cut, and the next one is a line of its own', async (t) => {
  const { lines, leftOut } = await limited(
    ['1000', '100000'],
    'head -c 3000000 /dev/zero | tr "\\0" x; echo; sleep 1.2; echo next',
  )
  t.equal(lines.length, 2)
  t.ok((lines[0]?.length ?? 0) <= 200_000, `${lines[0]?.length} bytes of it came`)
  t.equal(lines[1], 'next')
  t.equal(leftOut, 1)
})

for (const [script, code] of [
  ['exit 0', 0],
  ['exit 3', 3],
  ['kill -KILL $$', 137],
  ['kill -SEGV $$', 139],
  ['exec /no/such/command', 127],
] as const)
  t.test(`'${script}' ends with ${code}`, async (t) => {
    t.equal((await limited(enough, script)).exitCode, code)
  })

t.test('a signal reaches the command and nothing else of its group; its children are not waited for', async (t) => {
  const script = `/usr/lib/paas/limit-output ${enough.join(' ')} bash -c '
      trap "echo told; exit 5" TERM; sleep 100 & echo ready; while :; do sleep 0.01; done' & pid=$!
    sleep 0.5; kill -TERM $pid; wait $pid; echo "ended with $?"`
  const { lines } = await limited(enough, script)
  t.same(lines, ['ready', 'told', 'ended with 5'])
})

t.test('when all processes are told to stop, the command is told once', async (t) => {
  const ending = limited(enough, 'trap "echo told" TERM; >/tmp/ready; until [ -e /tmp/over ]; do sleep 0.01; done')
  const tell = 'until [ -e /tmp/ready ]; do sleep 0.01; done; kill -s TERM -- -1'
  t.equal((await engine.run(id, { command: ['bash', '-c', tell] })).exitCode, 0)
  // Whatever is passed on is passed on before a line comes out behind it.
  await engine.run(id, { command: ['bash', '-c', 'sleep 0.2; >/tmp/over'] })
  t.same((await ending).lines, ['told'])
})

t.test("a command that ends its own process group doesn't end what counts its lines", async (t) => {
  const { lines, exitCode } = await limited(enough, 'trap "echo bye; exit 4" TERM; kill 0; sleep 5')
  t.same([lines, exitCode], [['bye'], 4])
})

t.test('when nobody takes its output, the command goes on after a moment, and a signal still reaches it', async (t) => {
  const script = `mkfifo /tmp/full; exec 3<>/tmp/full
    /usr/lib/paas/limit-output ${enough.join(' ')} bash -c '
      trap "echo told >/tmp/told; exit 6" TERM; for i in {1..4}; do head -c 100000 /dev/zero | tr "\\0" x; done
      echo through >/tmp/through; while :; do sleep 0.01; done' >/tmp/full & pid=$!
    until [ -s /tmp/through ]; do sleep 0.05; done; kill -TERM $pid
    until [ -s /tmp/told ]; do sleep 0.05; done; exec 3<&-; wait $pid; echo "ended with $?"`
  const { lines } = await limited(enough, script)
  t.same(lines, ['ended with 6'])
})

t.test('numbers that make no sense are refused', async (t) => {
  const { exitCode, stderr } = await limited(['0', 'many'], 'echo never')
  t.equal(exitCode, 2)
  t.match(stderr, /LINES and BYTES are numbers from 1 on/)
})
