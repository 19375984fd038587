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
    sign: /(?:^|\s)([\w./-]+): (?:command not found|No such file or directory)$/m,
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
    if (found) return advice(found[1] ?? '')
  }
  return undefined
}
