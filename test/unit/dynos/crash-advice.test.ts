import t from 'tap'
import { crashSentence } from '../../../server/dynos/boot-fault.js'
import { crashAdvice } from '../../../server/dynos/crash-advice.js'

t.test('the usual reasons of a crash come with what to do', async (t) => {
  const cases: readonly [lines: string[], advice: RegExp][] = [
    [['bash: line 1: gunicorn: command not found'], /^'gunicorn' is neither .*requirements\.txt/],
    [['bash: line 1: exec: celery: not found'], /^'celery' is neither/],
    [['bash: line 1: /opt/tool: No such file or directory'], /^'\/opt\/tool' is neither/],
    [['start.sh: line 3: gunicorn: command not found'], /^'gunicorn' is neither/],
    [['bash: line 1: ./start.sh: No such file or directory'], /^The file start\.sh can't be started.*upper and lower/],
    [
      ['bash: line 1: exec: /app/bin/go: cannot execute: required file not found'],
      /^The file bin\/go can't be started/,
    ],
    [['env: ‘bash\\r’: No such file or directory'], /Windows line ends.*eol=lf/],
    [['bash: line 1: ./release.sh: Permission denied'], /git update-index --chmod=\+x release\.sh, commit/],
    [['bash: line 1: exec: bin/up: cannot execute: Permission denied'], /--chmod=\+x bin\/up,/],
    [['sh: 1: ./run.sh: Permission denied'], /--chmod=\+x run\.sh,/],
    [
      [
        'uwsgi: error while loading shared libraries: libmagic.so.1: cannot open shared object file: No such file or directory',
      ],
      /^The shared library libmagic\.so\.1 is not a part of the stack/,
    ],
    [['> nest start', 'sh: 1: nest: not found'], /^'nest' is not installed .*devDependencies.*web: npm run start:prod/],
    [['Traceback', "ModuleNotFoundError: No module named 'stripe.api'"], /^The Python module stripe\.api is not there/],
    [["Error: Cannot find module 'express'", 'Require stack:'], /npm install express, commit/],
    [["Error [ERR_MODULE_NOT_FOUND]: Cannot find package '@x/y' imported from /app/a.js"], /The package @x\/y is not/],
    [
      ["Error: Cannot find module '/app/dist/Server.js'"],
      /^The file dist\/Server\.js is not there.*upper and lower case/,
    ],
    [["KeyError: 'STRIPE_KEY'"], /paas config:set STRIPE_KEY=…/],
    [['connection to server at "localhost" (::1), port 5432 failed: Connection refused'], /Have it use DATABASE_URL/],
    [['Error: connect ECONNREFUSED 127.0.0.1:5432'], /Have it use DATABASE_URL/],
    [['django.db.utils.OperationalError: no such table: polls_question'], /release: python manage\.py migrate/],
  ]
  for (const [lines, advice] of cases) t.match(crashAdvice(lines), advice)
})

const dyno = { dyno: 'web.1', exitCode: 1, oomKilled: false, size: 'Basic' }

t.test('nothing is guessed where the lines show nothing', async (t) => {
  for (const lines of [
    [],
    ['listening on 3000'],
    ["KeyError: 'name'"],
    ['open /app/x: No such file or directory, ignored'],
    ['cat: settings.json: No such file or directory'],
    ['Error: open /app/config.yml: No such file or directory'],
    ["open('/app/out'): Permission denied"],
  ])
    t.equal(crashAdvice(lines), undefined)
  t.equal(crashSentence(dyno, 'node a.js', ['bye']), 'web.1 crashed while starting (exit code 1): node a.js\n  bye')
  t.match(
    crashSentence({ ...dyno, exitCode: 126 }, './a.sh', []),
    /^web\.1 could not start: its command may not be executed/,
  )
  t.match(
    crashSentence(dyno, 'python a.py', ["KeyError: 'KEY_X'"]),
    /: python a\.py\n {2}KeyError: 'KEY_X'\nThe app wants/,
  )
})

t.test('an error that its stack has pushed up is shown, with its place and without the runtime’s own frames', (t) => {
  const internals = Array.from({ length: 9 }, (_, i) => `    at wrapSafe (node:internal/modules/cjs/loader:${i})`)
  const place = ['/app/index.js:1', 'x y', '  ^', '']
  const lines = ['starting', ...place, "SyntaxError: Unexpected identifier 'y'", ...internals, '', 'Node.js v24.1.0']
  t.strictSame(crashSentence(dyno, 'node a.js', lines).split('\n').slice(1), [
    ...place.map((line) => `  ${line}`),
    "  SyntaxError: Unexpected identifier 'y'",
    '  Node.js v24.1.0',
  ])
  t.end()
})
