/** What to do about a command that ended badly, where its last lines give the usual reasons away. */

interface Sign {
  readonly sign: RegExp
  advice(name: string): string
}

const signs: readonly Sign[] = [
  {
    // As npm says it of a script's command.
    sign: /^sh: \d+: ([\w.@/-]+): not found$/m,
    advice: (name) =>
      `'${name}' is not installed in the dyno. Where it comes from devDependencies, which are removed after the build: have its package among dependencies in package.json, or start what the build made, by a line such as 'web: npm run start:prod' or 'web: node dist/main' in a Procfile.`,
  },
  {
    sign: /error while loading shared libraries: ([^\s:]+):/,
    advice: (name) =>
      `The shared library ${name} is not a part of the stack, and an app can't add packages of the system: take a package that brings its libraries along (a wheel such as psycopg2-binary, a prebuilt release), or ask whoever runs the platform to add the library to the stack.`,
  },
  {
    // A script that was written on Windows: the interpreter's name ends with a carriage return.
    sign: /\\r['’]?: No such file or directory$|\^M: bad interpreter/m,
    advice: () =>
      "A script of the app's has Windows line ends. Have git keep them away: a line '*.sh text eol=lf' in .gitattributes (with the script's name where it has no .sh), then git add --renormalize . && git commit, and push again.",
  },
  {
    // As sh and bash say it of a script that may not be executed.
    sign: /^[\w./-]+: (?:line )?(?:\d+: )?(?:exec: )?(?:\/app\/|\.\/)?([\w@-][\w.@-]*(?:\/[\w.@-]+)*): (?:cannot execute: )?Permission denied$/m,
    advice: (name) =>
      `The file ${name} may not be executed. Say in git that it is a program: git update-index --chmod=+x ${name}, commit and push again.`,
  },
  {
    // Programs say the same of files they look for: only the shell means a command.
    sign: /^[\w./-]+: (?:line \d+: )?(?:exec: )?(?:\/app\/|\.\/)([\w.@/-]+): (?:cannot execute: )?(?:No such file or directory|required file not found)$/m,
    advice: (name) =>
      `The file ${name} can't be started: it is not there, or the interpreter in its first line isn't, as with Windows line ends. Commit it with upper and lower case as the command has them.`,
  },
  {
    sign: /(?:^|\s)([\w./-]+): command not found$|^bash: (?:line \d+: )?([\w./-]+): No such file or directory$|^[\w./-]+: (?:line \d+: )?exec: ([\w./-]+): (?:cannot execute: )?(?:not found|No such file or directory)$/m,
    advice: (name) =>
      `'${name}' is neither a part of the stack nor installed by the app: add its package to the app's dependencies (requirements.txt, package.json), commit and push again.`,
  },
  {
    sign: /ModuleNotFoundError: No module named '([\w.]+)'/,
    advice: (name) =>
      `The Python module ${name} is not there. If it is yours, commit it; else add its package to the app's dependencies (requirements.txt or what the app has), commit and push again.`,
  },
  {
    sign: /Cannot find (?:module|package) '([./][^']*)'/,
    advice: (name) =>
      `The file ${name.replace(/^\/app\//, '')} is not there. Commit it with upper and lower case as they are required, or have a build script make it.`,
  },
  {
    sign: /Cannot find (?:module|package) '([^'/]+(?:\/[^']*)?)'/,
    advice: (name) =>
      `The package ${name} is not installed: it must be in dependencies of package.json (devDependencies are removed after the build). npm install ${name}, commit and push again.`,
  },
  {
    sign: /KeyError: '([A-Z][A-Z0-9_]+)'/,
    advice: (name) => `The app wants the config var ${name}. Set it: paas config:set ${name}=…`,
  },
  {
    sign: /(?:server at "(?:localhost|127\.0\.0\.1)"|ECONNREFUSED (?:::1|127\.0\.0\.1):5432)/,
    advice: () =>
      'The app looks for its database on its own machine. Have it use DATABASE_URL, which paas addons:create heroku-postgresql sets.',
  },
  {
    sign: /no such table: |relation "[^"]+" does not exist/,
    advice: () =>
      "The database lacks a table: its migrations have not run. A line such as 'release: python manage.py migrate' in the Procfile runs them at each deploy.",
  },
]

/** A sentence for the last lines that a command printed; undefined where they show none of the usual reasons. */
export function crashAdvice(lines: readonly string[]): string | undefined {
  const text = lines.join('\n')
  for (const { sign, advice } of signs) {
    const found = sign.exec(text)
    if (found) return advice(found.slice(1).find((part) => part !== undefined) ?? '')
  }
  return undefined
}
