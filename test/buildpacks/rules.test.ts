// The rules in the bash libraries that need no container: versions, names and addresses of buildpacks.
import t from 'tap'
import { bash } from './shell.js'

const driver = 'docker/stack/build-driver/lib'

t.test('a Python version is wanted exactly when the request names it or contains it', async (t) => {
  const cases: [string, string, boolean][] = [
    ['', '3.13.5', true],
    ['3.13', '3.13.5', true],
    ['3.13.5', '3.13.5', true],
    ['3.13.1', '3.13.5', false],
    ['3.1', '3.13.5', false],
    ['3', '3.13.5', true],
    ['>=3.10', '3.13.5', true],
    ['>= 3.10, < 4', '3.13.5', true],
    ['>=3.10,<3.13', '3.13.5', false],
    ['>=3.9 <3.14', '3.13.5', true],
    ['~=3.10', '3.13.5', true],
    ['~=3.12.1', '3.13.5', false],
    ['^3.10', '3.13.5', true],
    ['^3.14', '3.13.5', false],
    ['~3.13', '3.13.5', true],
    ['~3.12', '3.13.5', false],
    ['==3.13.*', '3.13.5', true],
    ['!=3.13.5', '3.13.5', false],
    ['!=3.13.4,>=3.13', '3.13.5', true],
    ['>3.12', '3.13.5', true],
    ['<=3.13.5', '3.13.5', true],
    ['^3.8 || ^3.13', '3.13.5', true],
    ['*', '3.13.5', true],
  ]
  for (const [wanted, version, expected] of cases) {
    const { exitCode } = await bash(['buildpacks/python/lib/version.sh'], 'wanted_python=$1; version_is_wanted "$2"', [
      wanted,
      version,
    ])
    t.equal(exitCode === 0, expected, `'${wanted}' ${expected ? 'takes' : 'refuses'} ${version}`)
  }
})

t.test('a byte order mark before a version is none of it', async (t) => {
  const script =
    'BUILD_DIR=$(mktemp -d); printf "\\xef\\xbb\\xbf$2\\r\\n" >"$BUILD_DIR/$1"; requested_version; rm -r "$BUILD_DIR"; printf %s "$wanted_python"'
  const version = ['buildpacks/python/lib/version.sh']
  t.equal((await bash(version, script, ['runtime.txt', 'python-3.13'])).output, '3.13')
  t.equal((await bash(version, script, ['.python-version', '3.13'])).output, '3.13')
})

const djangoRules = ['requirements', 'sqlite', 'django'].map((name) => `buildpacks/python/lib/${name}.sh`)

t.test('what stops collectstatic is explained by its last words', async (t) => {
  const cases: [string, RegExp][] = [
    [
      'django.core.exceptions.ImproperlyConfigured: Could not find the GDAL library (tried "gdal"). Is GDAL installed? If it is, try setting GDAL_LIBRARY_PATH in your settings.',
      /^GDAL, which GeoDjango \(django\.contrib\.gis\) needs, is not a part of the stack/,
    ],
    ['decouple.UndefinedValueError: SECRET not found. Declare it as envvar or define a default value.', /SECRET=…/],
    ['django.core.exceptions.ImproperlyConfigured: Set the BUCKET environment variable', /BUCKET=…/],
    ["KeyError: 'API_KEY'", /paas config:set API_KEY=…/],
    ['django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.', /openssl rand/],
  ]
  const script = `stop_with_tail() { printf '%s\\n' "\${@:3}"; }; explain_collectstatic <(printf '%s\\n' "$1")`
  for (const [line, advice] of cases) t.match((await bash(djangoRules, script, [line])).output, advice, line)
})

t.test('a push says that nothing runs the migrations, unless something may', async (t) => {
  const script = `BUILD_DIR=$(mktemp -d) manage_file=; note() { echo "$1"; }
mkdir -p "$BUILD_DIR/polls/migrations"; touch "$BUILD_DIR/polls/migrations/0001_initial.py"
printf "$1" >"$BUILD_DIR/Procfile"; manage_file=manage.py; mention_migrations; rm -r "$BUILD_DIR"`
  const said = async (procfile: string) => (await bash(djangoRules, script, [procfile])).output
  t.match(await said('web: gunicorn mine.wsgi\\n'), /^This app has migrations, and no release command runs them/)
  for (const procfile of ['release: ./release.sh\\n', 'web: python manage.py migrate && gunicorn mine.wsgi\\n'])
    t.equal(await said(procfile), '', procfile)
})

t.test('a Node.js range is decided in the shell for the shapes people write, and handed on otherwise', async (t) => {
  const cases: [string, string, 'in' | 'out' | 'handed on'][] = [
    ['22', '22.23.3', 'in'],
    ['22.x', '22.23.3', 'in'],
    ['v22.23.3', '22.23.3', 'in'],
    ['22.23.1', '22.23.3', 'out'],
    ['2', '22.23.3', 'out'],
    ['>=18', '24.1.0', 'in'],
    ['>= 18.0.0', '24.1.0', 'in'],
    ['>=18 <23', '24.1.0', 'out'],
    ['>18', '18.4.0', 'out'],
    ['<=22', '22.23.3', 'in'],
    ['<22', '22.23.3', 'out'],
    ['^20.1.0', '22.23.3', 'out'],
    ['^22.20', '22.23.3', 'in'],
    ['~22.23.1', '22.23.3', 'in'],
    ['~22', '22.23.3', 'in'],
    ['18.x || 22.x', '22.23.3', 'in'],
    ['18 || 20', '22.23.3', 'out'],
    ['*', '22.23.3', 'in'],
    ['lts/*', '22.23.3', 'in'],
    ['lts/*', '23.1.0', 'out'],
    ['lts/jod', '22.23.3', 'in'],
    ['18 - 22', '22.23.3', 'handed on'],
    ['22.0.0-rc.1', '22.23.3', 'handed on'],
    ['rubbish', '22.23.3', 'handed on'],
  ]
  for (const [range, version, expected] of cases) {
    const { exitCode } = await bash(['buildpacks/nodejs/lib/version.sh'], 'in_range "$1" "$2"', [range, version])
    t.equal(['in', 'out', 'handed on'][exitCode], expected, `'${range}' and ${version}`)
  }
})

t.test('of several versions the newest long-term one is taken', async (t) => {
  const { output } = await bash(['buildpacks/nodejs/lib/version.sh'], 'best_version "$@"; echo "$best"', [
    '22.9.0',
    '22.23.3',
    '23.1.0',
  ])
  t.equal(output.trim(), '22.23.3')
})

t.test("Heroku's names and addresses of buildpacks mean ours, others don't", async (t) => {
  const cases: [string, string][] = [
    ['python', 'python'],
    ['node', 'nodejs'],
    ['heroku/nodejs', 'nodejs'],
    ['urn:buildpack:heroku/python', 'python'],
    ['urn:cnb:registry:heroku/go', 'go'],
    ['heroku-community/static', 'static'],
    ['https://github.com/heroku/heroku-buildpack-python', 'python'],
    ['https://github.com/heroku/heroku-buildpack-python.git', 'python'],
    ['https://github.com/heroku/heroku-buildpack-nodejs#v200', 'nodejs'],
    ['https://buildpack-registry.s3.amazonaws.com/buildpacks/heroku/ruby.tgz', 'ruby'],
    ['https://buildpack-registry.s3.amazonaws.com/buildpacks/heroku-community/static.tgz', 'static'],
    ['https://github.com/somebody/heroku-buildpack-python', ''],
    ['heroku-community/apt', ''],
    ['somebody/python', ''],
    ['https://github.com/heroku/heroku-buildpack-nginx', ''],
  ]
  for (const [entry, expected] of cases) {
    const { output } = await bash([`${driver}/order.sh`], 'name_of_ours "$1"; printf %s "$ours"', [entry])
    t.equal(output, expected, entry)
  }
})

t.test('a buildpack is an https address without a user, an option or a way out of it', async (t) => {
  const good = [
    'https://github.com/o/r',
    'https://github.com/o/r.git#v1.2',
    'https://host.example:8443/a/b.tgz',
    'https://host.example/~o/r_x+y.git#feature/x',
  ]
  const bad = [
    '',
    'http://github.com/o/r',
    'git://github.com/o/r',
    'ssh://git@github.com/o/r',
    'git@github.com:o/r',
    'file:///etc/passwd',
    '/etc/passwd',
    'ext::sh -c id',
    'fd::17',
    '--upload-pack=id',
    '-u',
    'https://user:password@github.com/o/r',
    'https://token@github.com/o/r',
    'https://-oProxyCommand=id/r',
    'https://',
    'https:///o/r',
    'https://host/../../etc',
    'https://host/a b',
    'https://host/$(id)',
    'https://host/`id`',
    'https://host/;id',
    'https://host/a\nb',
    "https://host/'",
    'https://host/"',
    'https://host/a\\b',
    'https://host/r#--upload-pack=id',
    'https://host/r#a b',
    'https://host/r#$(id)',
    'https://host/r#../x',
    'https://[::1]/r',
    'HTTPS://host/r',
    'https://host:99999999/r',
    'javascript:alert(1)',
  ]
  const check = (url: string) => bash([`${driver}/output.sh`, `${driver}/fetch.sh`], 'check_buildpack_url "$1"', [url])
  for (const url of good) t.equal((await check(url)).exitCode, 0, url)
  for (const url of bad) {
    const { exitCode, output } = await check(url)
    t.equal(exitCode, 1, JSON.stringify(url))
    t.match(output, / ! {5}'/, 'and says so')
  }
})

t.test('addresses of private networks are no place to fetch from', async (t) => {
  const priv = ['127.0.0.1', '10.1.2.3', '172.16.0.1', '172.31.255.1', '192.168.1.1', '169.254.169.254', '100.64.0.1']
  const more = [
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '198.18.0.1',
    '::1',
    'fe80::1',
    'fd00::1',
    '::ffff:10.0.0.1',
    '::',
  ]
  const open = ['1.1.1.1', '172.32.0.1', '100.128.0.1', '192.169.0.1', '2606:4700::1111']
  const check = (address: string) => bash([`${driver}/fetch.sh`], 'is_public_address "$1"', [address])
  for (const address of [...priv, ...more]) t.equal((await check(address)).exitCode, 1, address)
  for (const address of open) t.equal((await check(address)).exitCode, 0, address)
})
