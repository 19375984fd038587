/**
 * The Platform API's pagination: a `Range` request header such as `version ..; order=desc,max=15`, and a `Next-Range`
 * response header to send next. A range that can't be read, or names a field that nothing is ordered by, means the default:
 * clients send odd ones with every request.
 */
export interface Range {
  readonly field: string
  /** Where to begin; undefined means at the first. */
  readonly start: { readonly value: string; readonly inclusive: boolean } | undefined
  /** Where to end, inclusive; undefined means at the last. */
  readonly end: string | undefined
  readonly descending: boolean
  readonly max: number
}

export const pageMax = 200
const pageLimit = 1000

const form = /^\s*([a-z_]{1,32})\s+(\]?)([!-:<-~]{0,200}?)\.\.([!-:<-~]{0,200})\s*(?:;(.{0,200}))?$/i

/** Never throws. */
export function parseRange(header: string | undefined, defaultField = 'id'): Range {
  const [, field = defaultField, bracket = '', start = '', end = '', options = ''] = form.exec(header ?? '') ?? []
  const settings = new Map(
    options.split(/[,;]/).map((part) => {
      const [key = '', value = ''] = part.split('=')
      return [key.trim().toLowerCase(), value.trim().toLowerCase()] as const
    }),
  )
  const max = Number(settings.get('max'))
  return {
    field: field.toLowerCase(),
    start: start === '' ? undefined : { value: start, inclusive: bracket === '' },
    end: end === '' ? undefined : end,
    descending: settings.get('order') === 'desc',
    max: Number.isInteger(max) && max >= 1 ? Math.min(max, pageLimit) : pageMax,
  }
}

/** What a client sends to get the page after the one that ends with `last`. */
export function nextRange(range: Pick<Range, 'field' | 'end' | 'descending' | 'max'>, last: string): string {
  return `${range.field} ]${last}..${range.end ?? ''}; ${range.descending ? 'order=desc,' : ''}max=${range.max}`
}

/** One page of a list that is in memory: its items keep their order, and a range is of their ids. */
export function pageOf<Item extends object>(
  all: readonly Item[],
  range: Range,
): { readonly items: readonly Item[]; readonly nextRange: string | undefined } {
  const ordered = range.descending ? [...all].reverse() : all
  // Any other field's values may be equal, or have no place in a header.
  const { start, end } = range.field === 'id' ? range : { start: undefined, end: undefined }
  const at = (id: string) => ordered.findIndex((item) => idOf(item) === id)
  let from = 0
  if (start) {
    const index = at(start.value)
    from = index < 0 ? ordered.length : start.inclusive ? index : index + 1
  }
  const endAt = end === undefined ? -1 : at(end)
  const until = endAt < 0 ? ordered.length : endAt + 1
  const items = ordered.slice(from, Math.min(until, from + range.max))
  const last = items.at(-1)
  const hasMore = last !== undefined && from + items.length < until && idOf(last) !== ''
  return { items, nextRange: hasMore ? nextRange({ ...range, field: 'id', end }, idOf(last)) : undefined }
}

function idOf(item: object): string {
  return 'id' in item && typeof item.id === 'string' ? item.id : ''
}
