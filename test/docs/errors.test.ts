// Goal: whoever meets an id or a code finds it in docs/errors.md, and nothing stands there that can't be met.
import t from 'tap'
import { errorStatus } from '../../server/model/errors.js'
import { routerCodes } from '../../server/router/codes.js'
import { codedRows, filesBelow, readText } from './checkout.js'

const document = readText('docs/errors.md')

/** The table rows below a heading, up to the next one. */
function rowsBelow(heading: string): string[] {
  const [, after = ''] = document.split(`\n## ${heading}\n`)
  return codedRows(after.split('\n## ')[0] ?? '')
}

/** Codes that the platform writes into an app's log itself: `Error R12 (Exit timeout)`, `(R15)`. */
function codesInSources(letter: string): string[] {
  const found = filesBelow('server', '.ts').flatMap((file) => {
    const pattern = new RegExp(`Error (${letter}\\d\\d)\\b|\\((${letter}\\d\\d)\\)`, 'g')
    return [...readText(file).matchAll(pattern)].map((match) => match[1] ?? match[2] ?? '')
  })
  return [...new Set(found)].sort()
}

t.test('every error id is described with its status, and no other', async (t) => {
  // The one id that is not a refusal: a fault of the platform's own.
  const ids = [...Object.keys(errorStatus), 'internal_server_error'].sort()
  t.strictSame(rowsBelow('Error ids').sort(), ids)
  for (const [id, status] of Object.entries(errorStatus))
    t.ok(document.includes(`| \`${id}\` | ${status} |`), `${id} answers ${status}`)
})

t.test('every router code is described with its words and its status, and no other', async (t) => {
  t.strictSame(rowsBelow('Router codes').sort(), Object.keys(routerCodes).sort())
  for (const [code, { desc, status }] of Object.entries(routerCodes))
    t.ok(document.includes(`| \`${code}\` | ${desc} | ${status} |`), `${code}: ${desc}, ${status}`)
})

t.test('every code that the platform logs about dynos and logs is described, and no other', async (t) => {
  t.strictSame(rowsBelow('Dyno codes').sort(), codesInSources('R'))
  t.strictSame(rowsBelow('Log codes').sort(), codesInSources('L'))
})
