/** App names: the label of the app's host name, its repository and its remote. */
import { invalid } from './errors.js'

const pattern = /^[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,28}[a-z0-9]$/
const reserved = new Set(['api', 'git', 'www', 'admin', 'health', 'localhost', 'status', 'dashboard'])

export function isAppName(name: string): boolean {
  return pattern.test(name)
}

/** Throws `invalid_params` saying the rule. */
export function checkAppName(name: string): string {
  if (!isAppName(name))
    throw invalid(
      'Name must start with a letter, end with a letter or digit, contain only lower-case letters, digits and single dashes, and have 3 to 30 characters.',
    )
  if (reserved.has(name)) throw invalid(`Name ${name} is reserved by the platform; choose another.`)
  return name
}

const adjectives =
  'autumn brave calm clear cool deep dry early fair fast fierce floating gentle glad hidden keen lively mighty misty morning nameless noble pure quiet rapid salty serene sharp silent sleepy snowy still sunny tender warm wild young'.split(
    ' ',
  )
const nouns =
  'beach bird brook cliff cloud coast dawn dune dusk falls field fjord forest garden glade harbor hill island lake leaf meadow moon mountain ocean peak plain pond rain ridge river sea shore sky spring stone stream sun valley wave wind wood'.split(
    ' ',
  )

/** A free-sounding name such as `quiet-river-48213`; `random` returns a number below 1. */
export function suggestAppName(random: () => number): string {
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] ?? 'app'
  return `${pick(adjectives)}-${pick(nouns)}-${10000 + Math.floor(random() * 90000)}`
}
