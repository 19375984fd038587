// Goal: docs/operating.md lists every setting with its default, as server/settings.ts declares them.
import t from 'tap'
import { loadConfig } from '../../server/config.js'
import { settingsTable } from '../../server/settings.js'
import { checkGenerated, readText } from './checkout.js'

const file = 'docs/operating.md'
const begin = '<!-- settings: written by test/docs/settings.test.ts -->\n'
const end = '<!-- end of settings -->\n'

function table(): string {
  const rows = settingsTable().map(({ name, fallback, sentence }) => {
    const value = fallback === '' ? '' : `\`${fallback}\``
    return `| \`${name}\` | ${value} | ${sentence.replaceAll('|', '\\|').replaceAll('<', '&lt;')} |\n`
  })
  return `| setting | default | what it is |\n| --- | --- | --- |\n${rows.join('')}`
}

t.test('the table of settings is the one in the code', async (t) => {
  const [before, rest = ''] = readText(file).split(begin)
  const after = rest.split(end)[1]
  t.ok(after, 'both marks are there')
  checkGenerated(t, file, `${before}${begin}${table()}${end}${after}`, 'test/docs/settings.test.js')
})

t.test('every default is a value that the setting takes', async (t) => {
  const defaults = Object.fromEntries(settingsTable().map(({ name, fallback }) => [name, fallback]))
  t.strictSame(loadConfig(defaults), loadConfig({}))
})
