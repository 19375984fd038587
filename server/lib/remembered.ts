/** Makes what follows from an object once, and remembers it for as long as the object is there. The object must not change. */
export function remembered<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const made = new WeakMap<K, { readonly value: V }>()
  return (key) => {
    const known = made.get(key)
    if (known !== undefined) return known.value
    const value = make(key)
    made.set(key, { value })
    return value
  }
}

const stretchLength = 64

/**
 * Joins what is made of each item of a list, which must follow from the item alone. Of a list like the one before it, only
 * the stretches in which an item has changed are made anew.
 */
export function rememberedJoin<T>(make: (item: T) => string, separator: string): (items: readonly T[]) => string {
  let before: { readonly items: readonly T[]; readonly text: string }[] = []
  return (items) => {
    const now: typeof before = []
    for (let from = 0; from < items.length; from += stretchLength) {
      const known = before[now.length]
      const stretch = items.slice(from, from + stretchLength)
      now.push(
        known && areSame(known.items, stretch) ? known : { items: stretch, text: stretch.map(make).join(separator) },
      )
    }
    before = now
    return now.map(({ text }) => text).join(separator)
  }
}

function areSame<T>(some: readonly T[], others: readonly T[]): boolean {
  return some.length === others.length && some.every((item, at) => item === others[at])
}
