/** In-process news by key: whoever is listening hears it, nobody is waited for, nothing is kept. */
export interface Topic<T> {
  publish(key: string, news: T): void
  /** Returns what ends the subscription. */
  subscribe(key: string, listener: (news: T) => void): () => void
}

export function createTopic<T>(): Topic<T> {
  const listeners = new Map<string, Set<(news: T) => void>>()
  return {
    publish(key, news) {
      for (const listener of [...(listeners.get(key) ?? [])]) listener(news)
    },
    subscribe(key, listener) {
      const set = listeners.get(key) ?? new Set()
      set.add(listener)
      listeners.set(key, set)
      return () => {
        set.delete(listener)
        if (set.size === 0 && listeners.get(key) === set) listeners.delete(key)
      }
    },
  }
}
