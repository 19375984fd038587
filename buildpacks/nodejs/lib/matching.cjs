// Prints those of the versions given that satisfy a range, by the semver inside npm: RUNTIME RANGE VERSION…
const { join } = require('node:path')
const [runtime, range, ...versions] = process.argv.slice(2)
const semver = require(join(runtime, 'lib/node_modules/npm/node_modules/semver'))

if (semver.validRange(range) === null) console.log('invalid')
else for (const version of versions) if (semver.satisfies(version, range)) console.log(version)
