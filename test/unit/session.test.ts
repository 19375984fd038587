import t from 'tap'
import { findDifference, parseSession, type SessionStep } from '../support/session.js'

const step = (...output: string[]): SessionStep => ({ command: 'x', output, exitCode: 0, soon: false, line: 1 })

t.test('a session is commands, what they print, and exit codes', async (t) => {
  const steps = parseSession(
    '# About it\n\n$ one\na\n[soon]\n\n# a remark\n$ two | three\n\nb  \n# not a remark\n[exit 4]\n',
  )
  t.same(steps, [
    { command: 'one', output: ['a'], exitCode: 0, soon: true, line: 3 },
    { command: 'two | three', output: ['b', '# not a remark'], exitCode: 4, soon: false, line: 8 },
  ])
  t.throws(() => parseSession('output first\n$ one\n'), { message: 'line 1 comes before the first command' })
  t.throws(() => parseSession('# nothing\n'), { message: 'a session without a command' })
})

t.test('output must be as written, but for dots', async (t) => {
  t.equal(findDifference(step('a', 'b'), 'a  \nb\n', 0), undefined)
  t.equal(findDifference(step('a', 'b'), 'a\nB\n', 0), 'not found where it should be: b')
  t.equal(findDifference(step('a'), 'a\nmore\n', 0), 'there is more output than expected')
  t.equal(findDifference(step('a', '…'), 'a\nmore\nyet more\n', 0), undefined)
  t.equal(findDifference(step('…', 'c'), 'a\nb\nc\n', 0), undefined)
  t.equal(findDifference(step('…', 'c', '…', 'd'), 'a\nc\nb\n', 0), 'not found where it should be: d')
  t.equal(findDifference(step('in … s (all)'), 'in 3.1 s (all)\n', 0), undefined)
  t.equal(findDifference(step('a.c'), 'abc\n', 0), 'not found where it should be: a.c', 'nothing else is a pattern')
  t.equal(findDifference(step('a'), 'a\n', 1), 'the exit code is 1, not 0')
})
