/**
 * Finds where a text stops being JSON. The runtime's own messages name the place for some faults only, and differ between
 * versions; whoever wrote the file needs line and column for all of them.
 */
const space = /[ \t\n\r]*/y
const scalar =
  /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
/** What of a scalar is still right before its fault. */
const scalarStart = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*|-|t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?/y

/** What may come next: `first` right after an opening bracket, where the closing one may follow. */
type Expected = 'value' | 'first-value' | 'key' | 'first-key' | 'colon' | 'comma' | 'end'

/** The position of the first character that can't stand there; the text's length when it ends too early or is valid. */
export function findJsonFault(text: string): number {
  const open: ('{' | '[')[] = []
  let expected: Expected = 'value'
  let at = 0
  const match = (pattern: RegExp): number => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0].length ?? 0
  }
  const afterValue = (): Expected => (open.length === 0 ? 'end' : 'comma')
  for (;;) {
    at += match(space)
    const next = text[at]
    if (next === undefined) return text.length
    const mayClose = expected === 'comma' || expected === 'first-value' || expected === 'first-key'
    if (mayClose && next === (open.at(-1) === '{' ? '}' : ']')) {
      open.pop()
      at++
      expected = afterValue()
    } else if (expected === 'value' || expected === 'first-value') {
      if (next === '{' || next === '[') {
        open.push(next)
        at++
        expected = next === '{' ? 'first-key' : 'first-value'
        continue
      }
      const length = match(scalar)
      if (length === 0) return at + match(scalarStart)
      at += length
      expected = afterValue()
    } else if (expected === 'key' || expected === 'first-key') {
      const length = next === '"' ? match(scalar) : 0
      if (length === 0) return next === '"' ? at + match(scalarStart) : at
      at += length
      expected = 'colon'
    } else if (expected === 'colon' && next === ':') {
      at++
      expected = 'value'
    } else if (expected === 'comma' && next === ',') {
      at++
      expected = open.at(-1) === '{' ? 'key' : 'value'
    } else return at
  }
}
