// Lists of Python packages as people write them: files that refer to others, packages of the repository's own, options.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { entries } from './result.js'
import { scratchApps } from './sandbox.js'
import { bash } from './shell.js'

t.setTimeout(600_000)

const scratchApp = scratchApps(t)

/** What the buildpack finds out about an app of these files, without installing anything. */
async function judge(files: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(path.join(tmpdir(), 'buildpacks-lists-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
      writeFileSync(path.join(folder, name), text)
    }
    const libraries = ['version', 'requirements', 'starter'].map((name) => `buildpacks/python/lib/${name}.sh`)
    const script = `set -uo pipefail; BUILD_DIR=$1 PAAS_PREVIOUS_DIR=/nowhere
stop() { printf '%s\\n' "$@"; exit 1; }; warning() { printf '%s\\n' "$@"; }; detail() { printf '%s\\n' "$@"; }
choose_installer
printf '%s\\n' "installer=$installer" "pip=$plain_pip" "floats=$unpinned" "source=$source_reason" "inputs=\${inputs[*]}"`
    const { output } = await bash(['docker/stack/build-driver/lib/output.sh', ...libraries], script, [folder])
    return output
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

t.test('a list may lead to every file of the repository, and to none outside of it', async (t) => {
  const app = scratchApp()
  const files = {
    Procfile: 'web: true\n',
    'requirements.txt': '-r requirements/production.txt\n',
    'requirements/production.txt': '-r "base.txt"\n',
    'requirements/base.txt': '-c ../constraints.txt\nsix\n',
    'constraints.txt': 'six==1.16.0\n',
  }
  const first = await app.build(files)
  t.equal(first.exitCode, 0, first.log)
  t.match(first.log, / \+ six==1\.16\.0/)
  const second = await app.build({ ...files, 'constraints.txt': 'six==1.17.0\n' })
  t.match(second.log, /installed again: changed: constraints\.txt\.[\s\S]* \+ six==1\.17\.0/)
  for (const line of ['-r ../../other.txt', '-c /etc/passwd', '--requirement=../requirements/../../other.txt'])
    t.match(await judge({ ...files, 'requirements/base.txt': line }), /requirements\/base\.txt refers to .*outside of/)
  t.match(
    await judge({ 'requirements.txt': '-r nowhere.txt' }),
    /requirements\.txt refers to nowhere\.txt, which is not/,
  )
})

t.test('packages of the repository itself are never stale', async (t) => {
  const folder = { 'libs/foo/setup.py': '', 'libs/wheels/foo-1-py3-none-any.whl': '', 'foo-2.tar.gz': '' }
  const local = [
    'libs/foo',
    'libs/foo[extra]',
    'libs/foo ; python_version > "3"',
    'libs/foo ; python_version == "3.13.5"',
    'foo @ libs/foo',
    'foo@./libs/foo',
    'foo @ file:libs/foo',
    '-e libs/foo',
    '.',
  ]
  for (const line of local)
    t.match(await judge({ ...folder, 'requirements.txt': `${line}\n` }), /source=requirements\.txt names a local/, line)
  const archives: readonly [line: string, file: string][] = [
    ['libs/wheels/foo-1-py3-none-any.whl', 'libs/wheels/foo-1-py3-none-any.whl'],
    ['./libs/wheels/foo-1-py3-none-any.whl --hash=sha256:00', 'libs/wheels/foo-1-py3-none-any.whl'],
    ['foo @ file:libs/wheels/foo-1-py3-none-any.whl', 'libs/wheels/foo-1-py3-none-any.whl'],
    ['foo-2.tar.gz', 'foo-2.tar.gz'],
    ['--find-links ./libs/wheels\nfoo==1', 'libs/wheels/foo-1-py3-none-any.whl'],
    ['-f "libs/wheels"\nfoo==1', 'libs/wheels/foo-1-py3-none-any.whl'],
  ]
  for (const [line, file] of archives)
    t.match(
      await judge({ ...folder, 'requirements.txt': `${line}\n` }),
      new RegExp(`floats=\nsource=\ninputs=requirements\\.txt ${file}`),
      line,
    )
  for (const line of ['libs', 'foo', 'https://host.example/libs/foo.zip', 'git+https://host.example/libs/foo'])
    t.match(await judge({ ...folder, 'requirements.txt': line }), /floats=yes\nsource=\n/, line)

  const project = '[project]\nname = "a"\nversion = "1"\n'
  const sources = [
    '[tool.uv.sources]\nfoo = { path = "libs/foo" }\n',
    '[tool.uv.sources]\nfoo = {editable = true, path = "libs/foo"}\n',
    '[tool.uv.sources]\nfoo = { workspace = true }\n',
    '[tool.uv.sources.foo]\npath = "libs/foo"\n',
  ]
  for (const table of sources)
    t.match(await judge({ 'pyproject.toml': project + table }), /source=pyproject\.toml names a local path/, table)
  t.match(await judge({ 'pyproject.toml': `${project}[tool.hatch.version]\npath = "a.py"\n` }), /source=\n/)
  const dynamic = `[project]\nname = "a"\nversion = "1"\ndynamic = ["dependencies"]
[tool.setuptools.dynamic]\ndependencies = { file = ["requirements/base.in", 'more.txt', "none.txt"] }\n`
  t.match(
    await judge({ 'pyproject.toml': dynamic, 'requirements/base.in': 'six\n', 'more.txt': '' }),
    /inputs=pyproject\.toml requirements\/base\.in more\.txt\n/,
  )
  t.match(await judge({ Pipfile: '[packages]\nfoo = {path = "./libs/foo"}\n' }), /source=Pipfile names a local path/)

  const app = scratchApp()
  const files = (answer: number) => ({
    Procfile: 'web: true\n',
    'requirements.txt': 'libs/foo\n',
    'libs/foo/pyproject.toml': '[project]\nname = "foo"\nversion = "1"\n',
    'libs/foo/foo.py': `ANSWER = ${answer}\n`,
  })
  await app.build(files(41))
  const second = await app.build(files(42))
  t.equal(second.exitCode, 0, second.log)
  const program = 'import ctypes, foo; ctypes.CDLL("libpython3.13.so.1.0"); print("it is", foo.ANSWER)'
  const dyno = await app.run(`python -c '${program}'`)
  t.equal(await dyno.ended(), 0, 'what embeds Python finds its library')
  t.match(await dyno.logs(), /it is 42/)
})

t.test("options that uv doesn't take bring pip, which does", async (t) => {
  const pip = [
    '--pre',
    '--prefer-binary',
    '--trusted-host host.example',
    '--no-binary lxml,pillow',
    '--only-binary=lxml,pillow',
    'six==1.17.0 --config-settings="--a=b"',
    'six==1.17.0 \\\n  --global-option="--a"',
  ]
  for (const line of pip) t.match(await judge({ 'requirements.txt': `${line}\n` }), /pip=yes\n/, line)
  const uv = ['--no-binary lxml', '--only-binary :all:', '-i https://host.example/simple', '--use-feature=fast-deps']
  for (const line of [...uv, 'six==1.17.0 --hash=sha256:00', 'pre-commit==4.0.0'])
    t.match(await judge({ 'requirements.txt': `${line}\n` }), /pip=\n/, line)
  const built = await scratchApp().build({
    Procfile: 'web: true\n',
    'requirements.txt': '--pre\n--only-binary six,idna\nsix==1.17.0\n',
  })
  t.equal(built.exitCode, 0, built.log)
  t.match(built.log, /Installing dependencies using 'pip install -r requirements\.txt'[\s\S]*installed six-1\.17\.0/)
})

t.test('a git repository that cannot be fetched is named as the cause', async (t) => {
  const explained = /comes from a git repository that could not be fetched[\s\S]*ask whoever runs the platform/
  const built = await scratchApp().build({
    Procfile: 'web: true\n',
    'requirements.txt': 'x @ git+https://127.0.0.1:9/x.git\n',
  })
  t.equal(built.exitCode, 30)
  t.match(built.log, explained)
  const script = `stop_with_tail() { printf '%s\\n' "\${@:2}"; }; explain_installer <(printf '%s\\n' "$1") pip`
  const ofPip = `  × git clone --quiet https://host.example/x.git /tmp/x did not run successfully.
ERROR: Failed to build 'git+https://host.example/x.git' when git clone`
  const explain = (text: string) => bash(['buildpacks/python/lib/install.sh'], script, [text])
  t.match((await explain(ofPip)).output, explained)
  t.match((await explain('error: Failed to build `x==1`')).output, /could not be compiled/)
})

t.test('what there is instead of a list is said as it is', async (t) => {
  t.match(await judge({ 'pyproject.toml': '[tool.black]\n' }), /No dependencies: pyproject\.toml has no \[project\]/)
  t.match(await judge({ 'app.py': '' }), /No dependencies: there is no requirements\.txt, pyproject\.toml/)
  t.match(await judge({ 'Requirements.txt': '' }), /Requirements\.txt is not read[\s\S]*git mv Requirements\.txt req/)
})

/** Makes a wheel of a package that downloads as NLTK does, without the internet; equal sources make equal bytes. */
const fakeNltk = `#!/usr/bin/python3
import os, zipfile
program = '''import os, sys
for name in sys.argv[3:]:
    if name == "missing":
        print("[nltk_data] Error loading missing: Package 'missing' not found in index")
        print("Error installing package. Retry? [n/y/e]")
        if input() != "n": sys.exit(1)
    else:
        open(os.path.join(sys.argv[2], name), "w").write("words of " + name)
'''
os.makedirs("vendor", exist_ok=True)
with zipfile.ZipFile("vendor/nltk-1-py3-none-any.whl", "w") as wheel:
    for name, text in {
        "nltk/__init__.py": "",
        "nltk/downloader.py": program,
        "nltk-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: nltk\\nVersion: 1\\n",
        "nltk-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "nltk-1.dist-info/RECORD": "",
    }.items():
        wheel.writestr(zipfile.ZipInfo(name), text)
`

t.test('corpora of NLTK come with the app, and one that cannot be had costs a warning', async (t) => {
  const app = scratchApp()
  const files = {
    Procfile: 'web: true\n',
    'requirements.txt': 'vendor/nltk-1-py3-none-any.whl\n',
    'bin/pre_compile': fakeNltk,
    'nltk.txt': 'punkt\r\nstopwords\r\n',
  }
  const first = await app.build(files)
  t.equal(first.exitCode, 0, first.log)
  t.match(first.log, /-----> Downloading NLTK corpora: punkt stopwords\n/)
  const dyno = await app.run(`bash -c 'cat "$NLTK_DATA"/*'`)
  t.match(await dyno.ended().then(() => dyno.logs()), /words of punktwords of stopwords/)
  t.notMatch((await app.build(files)).log, /Downloading NLTK|Installing/, 'nor is an unchanged wheel installed again')
  const missing = await app.build({ ...files, 'nltk.txt': 'missing punkt' })
  t.equal(missing.exitCode, 0, missing.log)
  t.match(missing.log, /Error loading missing[\s\S]*Warning: Some of the corpora in nltk\.txt could not be downloaded/)
  t.ok((await entries(missing.tars.get('nltk'))).has('app/.heroku/nltk_data/punkt'), 'the others are there')
  const none = await app.build({
    ...files,
    'bin/pre_compile': fakeNltk.replace('words of', 'all of'),
    'nltk.txt': 'missing',
  })
  t.equal(none.exitCode, 0, none.log)
  t.match(none.log, /installed again: changed: vendor\/nltk-1-py3-none-any\.whl/)
  t.notOk(none.header?.layers.some((layer) => layer.name === 'nltk'))
})
