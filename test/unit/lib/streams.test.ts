import { PassThrough, Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { readBytes } from '../../../server/lib/byte-reader.js'
import { demultiplex } from '../../../server/lib/demux.js'
import { eachLine } from '../../../server/lib/lines.js'

/** The same bytes in pieces of these lengths, over and over. */
function* cut(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const length = lengths[n % lengths.length] ?? 1
    yield bytes.subarray(at, at + length)
    at += length
  }
}

const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 })

function frame(type: number, content: string | Buffer): Buffer {
  const body = Buffer.from(content)
  const header = Buffer.alloc(8)
  header[0] = type
  header.writeUInt32BE(body.length, 4)
  return Buffer.concat([header, body])
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

async function linesOf(source: Readable, maxLength?: number): Promise<string[]> {
  const lines: string[] = []
  await eachLine(source, (line) => lines.push(line), maxLength)
  return lines
}

t.test('frames reach the output they name, however the bytes are cut', async (t) => {
  const frames = fc.array(fc.tuple(fc.constantFrom(0, 1, 2), fc.string({ maxLength: 12 })), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(frames, lengths, async (parts, pieces) => {
      const bytes = Buffer.concat(parts.map(([type, content]) => frame(type, content)))
      const { stdout, stderr } = demultiplex(Readable.from(cut(bytes, pieces)))
      const found = await Promise.all([textOf(stdout), textOf(stderr)])
      const of = (isError: boolean) => parts.filter(([type]) => (type === 2) === isError).map(([, content]) => content)
      return found[0] === of(false).join('') && found[1] === of(true).join('')
    }),
    { numRuns: 60 },
  )
  t.pass('held')
})

t.test('a slow output holds the source, and goes on when it is read', async (t) => {
  const source = new PassThrough()
  const { stdout, stderr } = demultiplex(source)
  const bytes = Buffer.alloc(64 * 1024, 'x')
  let written = 0
  while (source.write(frame(1, bytes)) && written < 100) {
    written++
    await turn()
  }
  t.ok(written < 100, 'held')
  source.end(frame(2, 'end'))
  const [out, error] = await Promise.all([textOf(stdout), textOf(stderr)])
  t.equal(out.length, (written + 1) * bytes.length)
  t.equal(error, 'end')
})

t.test('an output that its reader closed holds nothing up', async (t) => {
  const source = new PassThrough()
  const { stdout, stderr } = demultiplex(source)
  const bytes = Buffer.alloc(256 * 1024, 'x')
  source.write(frame(1, bytes))
  await turn()
  t.ok(source.isPaused(), 'held while nobody reads')
  stdout.destroy()
  source.write(frame(1, bytes))
  source.end(frame(2, 'heard'))
  t.equal(await textOf(stderr), 'heard')
})

t.test('both outputs end when the source ends, fails or is closed in the middle of a frame', async (t) => {
  for (const finish of [
    (source: PassThrough) => source.end(),
    (source: PassThrough) => source.destroy(new Error('cut')),
    (source: PassThrough) => source.destroy(),
  ]) {
    const source = new PassThrough()
    const { stdout, stderr } = demultiplex(source)
    source.write(frame(1, 'whole').subarray(0, 10))
    await turn()
    finish(source)
    t.same(await Promise.all([textOf(stdout), textOf(stderr)]), ['wh', ''])
  }
})

t.test('lines come whole, however the bytes are cut, with either line end', async (t) => {
  const text = fc
    .array(fc.constantFrom('a', 'é', '🐘', '', ' x', '\t'), { maxLength: 6 })
    .map((parts) => parts.join(''))
  await fc.assert(
    fc.asyncProperty(
      fc.array(text, { maxLength: 6 }),
      fc.constantFrom('\n', '\r\n'),
      lengths,
      async (lines, end, pieces) => {
        const bytes = Buffer.from(lines.map((line) => `${line}${end}`).join(''))
        return JSON.stringify(await linesOf(Readable.from(cut(bytes, pieces)))) === JSON.stringify(lines)
      },
    ),
    { numRuns: 60 },
  )
  t.same(await linesOf(Readable.from([Buffer.from('one\n\nlast')])), ['one', '', 'last'], 'without a final line end')
})

t.test('a long line comes in parts, never inside a character', async (t) => {
  t.same(await linesOf(Readable.from([Buffer.from('aaaaaaa\nbb\n')]), 3), ['aaa', 'aaa', 'a', 'bb'])
  t.same(await linesOf(Readable.from([Buffer.from('aa🐘🐘')]), 3), ['aa', '🐘', '🐘'])
  t.same(await linesOf(Readable.from([Buffer.from('aaa\n')]), 3), ['aaa'], 'exactly as long as may be')
})

t.test('reading lines ends with what there was when the source breaks', async (t) => {
  const source = new PassThrough()
  const lines = linesOf(source)
  source.write('one\ntw')
  await turn()
  source.destroy(new Error('cut'))
  t.same(await lines, ['one', 'tw'])
})

async function collect(chunks: AsyncIterable<Buffer>): Promise<string> {
  return textOf(Readable.from(chunks))
}

t.test('a line, so many bytes, and the next line come out as they went in, however they are cut', async (t) => {
  const sections = fc.array(fc.tuple(fc.stringMatching(/^[a-z ]{0,9}$/), fc.uint8Array({ maxLength: 20 })), {
    maxLength: 5,
  })
  await fc.assert(
    fc.asyncProperty(sections, lengths, async (parts, pieces) => {
      const bytes = Buffer.concat(parts.flatMap(([line, body]) => [Buffer.from(`${line}\n`), Buffer.from(body)]))
      const reader = readBytes(Readable.from(cut(bytes, pieces)))
      for (const [line, body] of parts) {
        if ((await reader.line(100)) !== line) return false
        const read: Buffer[] = []
        for await (const part of reader.bytes(body.length)) read.push(part)
        if (!Buffer.concat(read).equals(Buffer.from(body))) return false
      }
      return (await reader.line(100)) === undefined
    }),
    { numRuns: 60 },
  )
  t.pass('held')
})

t.test('a line that is too long is refused before it is read whole', async (t) => {
  async function* endless() {
    for (;;) yield Buffer.alloc(1024, 'x')
  }
  await t.rejects(readBytes(Readable.from(endless())).line(4_096), { message: 'a line is longer than 4096 bytes' })
  await t.rejects(readBytes(Readable.from([Buffer.from('12345\n')])).line(4), { message: /longer than 4 bytes/ })
  t.equal(await readBytes(Readable.from([Buffer.from('1234\n')])).line(4), '1234')
})

t.test('a stream that ends early or breaks is an error while bytes are owed', async (t) => {
  const reader = readBytes(Readable.from([Buffer.from('12')]))
  await t.rejects(collect(reader.bytes(5)), { message: 'the stream ended 3 bytes early' })
  const source = new PassThrough()
  source.write('12')
  const broken = collect(readBytes(source).bytes(5))
  await turn()
  source.destroy(new Error('cut'))
  await t.rejects(broken, { message: 'cut' })
})

t.test('the rest can be read and forgotten, to the end of the source', async (t) => {
  let isEnded = false
  async function* source() {
    yield Buffer.from('head\nrest')
    yield Buffer.alloc(1024 * 1024)
    isEnded = true
  }
  const reader = readBytes(Readable.from(source()))
  t.equal(await reader.line(10), 'head')
  await reader.drain()
  t.ok(isEnded)
  t.equal(await reader.line(10), undefined)
})
