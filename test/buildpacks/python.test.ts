// The Python buildpack on real apps: what is installed when, what the dyno gets, and what every failure says.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { type Entry, entries, type Header, type Layer, partsOf } from './result.js'
import { fixtures, inBuildImage, scratchApps, type Source } from './sandbox.js'

t.setTimeout(600_000)

const scratchApp = scratchApps(t)

function layerNamed(header: Header | undefined, name: string): Layer | undefined {
  return header?.layers.find((layer) => layer.name === name)
}

async function allEntries(tars: ReadonlyMap<string, Buffer>): Promise<Map<string, Entry>> {
  const found = new Map<string, Entry>()
  for (const tar of tars.values()) for (const [name, entry] of await entries(tar)) found.set(name, entry)
  return found
}

/** A Django project in a few lines; its settings end with the text given. */
function djangoFiles(settings = '', more: Record<string, string> = {}): Record<string, string> {
  return {
    'requirements.txt': 'Django==5.2.8\n',
    'manage.py': `import os, sys
from django.core.management import execute_from_command_line
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mine.settings")
execute_from_command_line(sys.argv)
`,
    Procfile: 'web: python manage.py runserver 0.0.0.0:$PORT --noreload\n',
    'mine/settings.py': `import os
SECRET_KEY = "x" * 50
INSTALLED_APPS = ["django.contrib.staticfiles", "mine"]
ROOT_URLCONF = "mine.urls"
WSGI_APPLICATION = "mine.wsgi.application"
STATIC_URL = "static/"
${settings}`,
    'mine/static/a.css': '',
    ...more,
  }
}

t.test('a Django app: built, built again without an installer, and serving', async (t) => {
  const app = scratchApp()
  const folder = path.join(fixtures, 'django')
  const config = { GREETING: 'canary-77ab', SECRET_KEY: 'canary-secret' }
  const first = await app.build(folder, { config })
  t.equal(first.exitCode, 0, first.log)
  t.match(first.log, /^-----> Python app detected\n-----> Using Python 3\.13\.\d+ \(asked for in \.python-version\)\n/)
  t.match(
    first.log,
    /-----> Installing dependencies using 'uv pip install -r requirements\.txt'\n[\s\S]* \+ django==5\.2\.8\n/,
  )
  t.match(first.log, /-----> \$ python manage\.py collectstatic --noinput\n {7}1 static file copied/)
  t.match(first.header, {
    buildpacks: [{ name: 'python', version: /^\d+$/ }],
    process_types: {},
    addons: ['heroku-postgresql'],
    cache: { changed: true },
    notes: [],
  })
  t.match(layerNamed(first.header, 'python'), { launch: false, key: /^[0-9a-f]{64}$/ }, 'kept for the next build')
  const parts = partsOf(first.header)
  t.ok(parts.length > 3, 'the environment is several layers')
  for (const part of parts)
    t.match(part, { path: 'app/.heroku/python', new: true, launch: true, key: /^[0-9a-f]{64}$/ })
  t.notOk(Buffer.concat([...first.tars.values()]).includes('canary-'), 'config vars are in no layer')

  const second = await app.build(folder, { config: { ...config, GREETING: 'Salut' } })
  t.match(second.log, /Using the dependencies of the previous build/)
  t.notMatch(second.log, /Installing/)
  t.match(second.header, { cache: { changed: false } })
  t.same(
    partsOf(second.header).map((part) => ({ ...part, new: true, bytes: 0 })),
    parts.map((part) => ({ ...part, bytes: 0 })),
  )
  t.notOk(second.header?.layers.some((layer) => layer.new))
  t.ok(second.tars.get('app')?.equals(first.tars.get('app') ?? Buffer.alloc(0)), 'the same source gives the same bytes')

  const layer = await allEntries(first.tars)
  const site = 'app/.heroku/python/lib/python3.13/site-packages'
  const flags = (pyc: Buffer | undefined) => pyc?.readUInt32LE(4)
  t.equal(flags(layer.get(`${site}/django/__pycache__/__init__.cpython-313.pyc`)?.bytes), 1, 'bytecode trusts no time')
  const files = await entries(second.tars.get('app'))
  t.equal(
    flags(files.get('app/visits/__pycache__/views.cpython-313.pyc')?.bytes),
    3,
    "the app's own is checked by hash",
  )
  t.ok(files.has('app/staticfiles/staticfiles.json'))
  t.match(layer.get('app/.heroku/python/bin/gunicorn')?.text, /^#!\/app\/\.heroku\/python\/bin\/python/)

  const dyno = await app.run(`bash -c 'python manage.py migrate --noinput && exec gunicorn hello.wsgi'`, {
    GREETING: 'Salut',
  })
  const response = await dyno.get()
  t.equal(response.status, 200)
  const page = await response.text()
  t.match(page, /<h1>Salut<\/h1>[\s\S]*Visits: 1</)
  const css = /href="(\/static\/hello\.[0-9a-f]+\.css)"/.exec(page)?.[1] ?? 'none'
  t.equal((await dyno.get(css)).status, 200, 'static files are served')
  const env = await dyno.exec(['bash', '-c', 'tr "\\0" "\\n" < /proc/$(pgrep -o gunicorn)/environ'])
  t.match(env, /^PATH=\/app\/\.heroku\/python\/bin:/m)
  t.match(env, /^WEB_CONCURRENCY=2$/m, 'two processes fit into 512 MB')
  t.match(env, /^GUNICORN_CMD_ARGS=--access-logfile -$/m)
  t.match(env, /^FORWARDED_ALLOW_IPS=\*$/m)
  t.match(env, /^PYTHONUNBUFFERED=true$/m)
  t.match(await dyno.logs(), /"GET \/ HTTP\/1\.1" 200/)
})

t.test('only what changed leads to an install, and the log names it', async (t) => {
  const app = scratchApp()
  const files = {
    Procfile: 'web: python app.py\n',
    'app.py': 'print(1)\n',
    'requirements.txt': '-r base.txt\n',
    'base.txt': 'six==1.17.0\n',
  }
  t.match((await app.build(files)).log, /\+ six==1\.17\.0/)
  t.notMatch((await app.build({ ...files, 'app.py': 'print(2)\n' })).log, /Installing/)
  const changed = await app.build({ ...files, 'base.txt': 'six==1.17.0\nidna==3.10\n' })
  t.match(changed.log, /Dependencies are installed again: changed: base\.txt\.[\s\S]*\+ idna==3\.10/)
  const failed = await app.build({ ...files, 'base.txt': 'six==99.0\n' })
  t.equal(failed.exitCode, 30)
  t.match(failed.log, /Dependencies could not be installed[\s\S]*no version of six==99\.0[\s\S]*Mend the dependency/)
  const back = await app.build({ ...files, 'base.txt': 'six==1.17.0\nidna==3.10\n' })
  t.notMatch(back.log, /Installing/, 'a failed build leaves the layers alone')
  const local = {
    ...files,
    'requirements.txt': './own\n',
    'own/pyproject.toml': '[project]\nname = "own"\nversion = "1"\n',
  }
  t.match(
    (await app.build({ ...local, 'own/own.py': 'A = 1\n' })).log,
    /in each build: requirements\.txt names a local path/,
  )
})

t.test('projects with uv.lock: dependencies and the package itself, linked to its source in the dyno', async (t) => {
  const app = scratchApp()
  const folder = mkdtempSync(path.join(tmpdir(), 'buildpacks-uv-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(path.join(fixtures, 'python-uv'), folder, { recursive: true })
  await inBuildImage(['uv', 'lock', '--quiet'], folder)
  const first = await app.build(folder)
  t.equal(first.exitCode, 0, first.log)
  t.match(first.log, /-----> Installing dependencies using 'uv sync --locked --no-default-groups'\n/)
  const second = await app.build(folder)
  t.match(second.log, /Using the dependencies of the previous build/)
  const dyno = await app.run('uv-package')
  t.equal(await (await dyno.get()).text(), 'six 1.17.0 from /app/src/uv_package/__init__.py\n')
})

t.test('every version that cannot be had is refused with what there is and the line to change', async (t) => {
  const app = scratchApp()
  const files = { 'requirements.txt': '', 'app.py': '', Procfile: 'web: python app.py\n' }
  const refusals: [Record<string, string>, RegExp][] = [
    [
      { '.python-version': '3.2.1\n' },
      /Python 3\.2\.1 can't be had here \(asked for in \.python-version\)[\s\S]*There is: 3\.13\.\d+\n.*this line in \.python-version: {2}3\.13\n.*ask whoever runs the platform/,
    ],
    [{ 'runtime.txt': 'python-3.9.1\n' }, /asked for in runtime\.txt[\s\S]*runtime\.txt: {2}python-3\.13/],
    [{ 'runtime.txt': '3.13\n' }, /runtime\.txt asks for Python '3\.13', which is not a version/],
    [{ '.python-version': '3.13\n3.12\n' }, /names more than one Python/],
    [{ '.python-version': 'my-env\n' }, /which is not a version/],
    [{ 'pyproject.toml': '[project]\nname = "a"\nrequires-python = ">=3.8,<3.10"\n' }, /requires-python = ">=3\.13"/],
  ]
  for (const [file, message] of refusals) {
    const built = await app.build({ ...files, ...file })
    t.equal(built.exitCode, 30)
    t.match(built.log, message)
  }
  t.equal((await app.build({ ...files, '.python-version': '# ours\n3.13\n' })).exitCode, 0)
})

t.test('what is committed by mistake stops the build with its cure', async (t) => {
  const app = scratchApp()
  const locks = await app.build({ 'uv.lock': '', 'poetry.lock': '', 'pyproject.toml': '' })
  t.equal(locks.exitCode, 30)
  t.match(locks.log, /Two lockfiles are committed: uv\.lock and poetry\.lock\.[\s\S]*git rm poetry\.lock/)
  const venv = await app.build({ 'requirements.txt': '', '.venv/pyvenv.cfg': 'home = /usr/bin\n' })
  t.equal(venv.exitCode, 30)
  t.match(venv.log, /The folder \.venv\/ is a virtual environment[\s\S]*git rm -r --cached \.venv/)
})

t.test('static files of Django: collected, left out, or explained', async (t) => {
  const app = scratchApp()
  const build = (settings: string, more: Source & object = {}, config: Record<string, string> = {}) =>
    app.build(djangoFiles(settings, more as Record<string, string>), { config })

  const untouched = await build('')
  t.equal(untouched.exitCode, 0, 'as startproject leaves it')
  t.match(untouched.log, /Static files are not collected: the settings name no STATIC_ROOT/)
  t.notMatch(untouched.log, /Traceback/)
  for (const none of ['STATIC_ROOT = None', 'STATIC_ROOT = ""  # later', '# STATIC_ROOT is set elsewhere']) {
    const root = await build(`${none}\n`)
    t.equal(root.exitCode, 0, none)
    t.match(root.log, /Static files are not collected[\s\S]*set STATIC_ROOT = BASE_DIR \/ 'staticfiles'/)
    t.notMatch(root.log, /Traceback/)
  }
  const secret = await build('SECRET_KEY = os.environ["SECRET_KEY"]\n')
  t.match(
    secret.log,
    / ! {5}KeyError: 'SECRET_KEY'[\s\S]*paas config:set SECRET_KEY="\$\(openssl rand -base64 48\)"[\s\S]*DISABLE_COLLECTSTATIC=1/,
  )
  const database = await build('os.environ["DATABASE_URL"]\n')
  t.match(database.log, /paas addons:create heroku-postgresql/)
  const other = await build('os.environ["BUCKET"]\n')
  t.match(other.log, /paas config:set BUCKET=…/)
  const disabled = await build('', {}, { DISABLE_COLLECTSTATIC: '1' })
  t.equal(disabled.exitCode, 0)
  t.match(disabled.log, /Skipping collectstatic: DISABLE_COLLECTSTATIC is set/)
  const without = await app.build(
    djangoFiles('', { 'mine/settings.py': 'SECRET_KEY = "x" * 50\nINSTALLED_APPS = []\n' }),
  )
  t.equal(without.exitCode, 0, without.log)
  t.notMatch(without.log, /collectstatic|Unknown command/)
})

t.test('a Django app without a Procfile is started by gunicorn, when it is there', async (t) => {
  const app = scratchApp()
  const { Procfile: _, ...files } = djangoFiles('STATIC_ROOT = "static-out"\n')
  const none = await app.build(path.join(fixtures, 'django-no-gunicorn'))
  t.equal(none.exitCode, 30)
  t.match(none.log, /no Procfile, and gunicorn is not among its dependencies[\s\S]*echo gunicorn >> requirements\.txt/)
  const deep = Object.fromEntries(Object.entries(files).map(([name, text]) => [`backend/${name}`, text]))
  const built = await app.build({
    ...deep,
    'requirements.txt': 'Django==5.2.8\ngunicorn==23.0.0\n',
    'backend/mine/migrations/0001_initial.py': '',
  })
  t.equal(built.exitCode, 0, built.log)
  t.same(built.header?.process_types, { web: 'gunicorn --chdir backend mine.wsgi:application' })
  t.match(built.log, /\$ python backend\/manage\.py collectstatic/, 'two folders down is found')
  t.match(built.header?.notes, [/no release command runs them.*release: python backend\/manage\.py migrate/])
})

t.test('what collects the static files ends as a Python program ends', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'buildpacks-leave-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const program = `
import atexit, concurrent.futures, sys, threading, time
print(sys.argv, sys.path[0], __name__, __file__)
atexit.register(print, "exit handler")
pool = concurrent.futures.ThreadPoolExecutor(1)
pool.submit(lambda: (time.sleep(0.05), print("pool")))
threading.Thread(target=lambda: (time.sleep(0.02), print("thread"))).start()
def fail(): raise ValueError(sys.argv[1])
{"end": int, "code": lambda: sys.exit(3), "words": lambda: sys.exit("words"), "fail": fail}[sys.argv[1]]()
`
  writeFileSync(path.join(folder, 'program.py'), program)
  const compare = `
export PYTHONUNBUFFERED=1
for way in end code words fail; do
  python3.13 program.py $way >wanted 2>&1; echo "code $?" >>wanted
  python3.13 /opt/paas/buildpacks/python/lib/leave_soon.py program.py $way >found 2>&1; echo "code $?" >>found
  diff wanted found >&2 || exit 1
  cat found >>all
done`
  await inBuildImage(['bash', '-c', compare], folder)
  const all = readFileSync(path.join(folder, 'all'), 'utf8')
  t.same(all.match(/^code .*$/gm), ['code 0', 'code 3', 'code 1', 'code 1'])
  t.equal(all.match(/thread\npool\nexit handler\n/g)?.length, 4)
})

t.test('hooks run with config vars, and what they install stays', async (t) => {
  const app = scratchApp()
  const files = {
    'requirements.txt': 'six==1.17.0\n',
    Procfile: 'web: true\n',
    'bin/pre_compile': '#!/bin/bash\necho "before $GREETING" > pre.txt\n',
    'bin/post_compile': '#!/bin/bash\npython -c "import six; print(six.__version__)"\npip install --quiet idna==3.10\n',
  }
  const config = { GREETING: 'hello' }
  const first = await app.build(files, { config })
  t.equal(first.exitCode, 0, first.log)
  t.match(first.log, /-----> Running bin\/post_compile hook\n {7}1\.17\.0\n/)
  const layer = await allEntries(first.tars)
  t.ok([...layer.keys()].some((name) => name.includes('/idna/')))
  t.equal((await entries(first.tars.get('app'))).get('app/pre.txt')?.text, 'before hello\n')
  const second = await app.build(files, { config })
  t.equal(second.exitCode, 0, second.log)
  t.same(
    second.header?.layers.map((each) => each.new),
    [false],
    'a hook that changes nothing costs no layer',
  )
  const failing = await app.build(
    { ...files, 'bin/post_compile': '#!/bin/bash\necho "cannot go on" >&2\nexit 4\n' },
    { config },
  )
  t.equal(failing.exitCode, 30)
  t.match(failing.log, /The hook bin\/post_compile failed\.[\s\S]*cannot go on/)
})

t.test('a repository with package.json and Python builds both, Node.js first', async (t) => {
  const built = await scratchApp().build({
    'package.json': '{ "scripts": { "build": "node -e \\"require(\'fs\').writeFileSync(\'made.txt\', \'made\')\\"" } }',
    'requirements.txt': 'six==1.17.0\n',
    Procfile: 'web: python app.py\n',
    'bin/post_compile': '#!/bin/sh\nnode --version\n',
  })
  t.equal(built.exitCode, 0, built.log)
  t.match(built.log, /Using buildpacks:\n {7}1\. nodejs\n {7}2\. python\n {7}\(.*Node\.js builds first/)
  t.match(built.log, /post_compile hook\n {7}v\d+/, "Node.js is on the second buildpack's PATH")
  t.same(built.header?.layers.map((layer) => layer.name).sort(), ['node', 'python'])
  t.equal((await entries(built.tars.get('app'))).get('app/made.txt')?.text, 'made')
})
